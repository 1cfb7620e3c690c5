"""Measurements read from files, and answers printed as a table."""
