"""Which network this machine is in, how its traffic leaves, and whether the connection is metered."""
