"""From posteriors to an answer: `answer` (its shape), `describe` (state, pattern, bracket, reasons), and its parts.

The parts: `compliance`, `daily_windows` (schedules), `silence`, and `common_cause`, which compares providers.
"""
