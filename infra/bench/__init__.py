"""Benchmarks of the probe: what it says of every way of interfering, and of networks that are merely bad."""
