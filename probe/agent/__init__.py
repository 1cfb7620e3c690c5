"""The program that runs for months: schedule, runs, visits."""
