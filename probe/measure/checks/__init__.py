"""The checks: one file each, found by walking this folder.

A check's module has NAME, SURFACE (`web` or `app`) and `async def check(context) -> list[Step]`: flat steps that a
reader can follow from top to bottom. With SWEEPS_ONLY it is made in sweeps alone. What the network does is data; what
a check raises is a bug in it.
"""
