"""The NATS connection to the collector, over TLS or WebSockets; the aggregator uses it too."""
