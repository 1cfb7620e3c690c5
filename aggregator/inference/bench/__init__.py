"""A public benchmark: simulated fleets whose truth is known, this model, and its rivals on the same rows."""
