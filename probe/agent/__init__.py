"""The program that runs for months: it measures on schedule and delivers."""
