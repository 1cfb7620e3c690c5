"""Benchmark: the onset inference and other change-point methods on simulated fleets whose truth is known.

In reading order: `simulate` (fleets), `baselines` (the other methods), `accuracy` (of onsets), `alarms` (delays of the
sequential tests), `report` (the page docs/benchmark-onset.md), `__main__` (the command).
"""
