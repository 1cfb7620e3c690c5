"""Finds what keeps a probe from measuring or delivering."""
