"""What a probe costs its host: bytes, memory, processor."""
