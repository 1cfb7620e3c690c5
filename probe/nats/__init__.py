"""The connection to the collector, over TLS or web sockets."""
