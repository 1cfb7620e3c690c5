"""Benchmarks: how runs under interference and in bad networks are judged, and what a probe costs its host."""
