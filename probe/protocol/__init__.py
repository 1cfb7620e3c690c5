"""What a probe and an aggregator agree on: shapes, keys, signatures and what may be in them. No sockets."""
