"""What a volunteer does with a probe: set it up, look at it, pause it, remove it."""
