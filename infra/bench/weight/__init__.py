"""What a probe costs its host: traffic, memory and processor time."""
