"""The onset inference on simulated fleets, beside other change-point methods."""
