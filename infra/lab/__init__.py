"""A fictional country on one machine: providers that block, a service, and a fleet of real probes."""
