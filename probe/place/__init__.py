"""Which network this machine is in, and whether its owner allows measuring there."""
