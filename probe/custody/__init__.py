"""Kept until receipted: the spool, and what is said to the collector during a visit."""
