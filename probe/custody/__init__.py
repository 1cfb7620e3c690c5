"""Measurements until their receipt: the spool, its delivery, and what else is sent to the collector."""
