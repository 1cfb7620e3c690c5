"""Says what keeps a probe from measuring or delivering."""
