"""What a probe and an aggregator agree on: message formats, keys, signatures and privacy rules. It opens no sockets."""
