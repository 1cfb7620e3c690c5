"""What a volunteer does with a probe: set it up, inspect it, pause it, remove it."""
