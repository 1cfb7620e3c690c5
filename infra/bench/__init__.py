"""Benchmarks: verdicts under interference, what a probe costs its host, and the onset inference on simulated fleets."""
