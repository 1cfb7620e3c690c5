"""Helpers that know nothing of measuring and that every package may use: errors, clocks, times, files, locks, logs."""
