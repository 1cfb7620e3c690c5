"""The checks: one module each, found by listing this folder.

A check's module declares:

- NAME, and SURFACE: `web` or `app`.
- `async def check(context) -> list[Step]`: flat steps that a reader can follow from top to bottom. What the network
  does is data; an exception is a bug in the check.
- `def expected_bytes(watch, sweep) -> int`: its bytes on the wire in one run, both directions, for the projected use
  of data that the volunteer agrees to. Called for runs in which the check is made.
- SWEEPS_ONLY = True, if it is made in sweeps alone (default False).
- TRIGGERS_SWEEP = False, if a change of its failures is no reason for a sweep at the next run (default True).
- `def is_available() -> bool`, if it needs something that may not be installed (default True).
"""
