"""The inference: from rows of outcomes to an answer for each provider and surface. Pure functions, no I/O."""
