"""Every way of interfering, in network namespaces, against what the probe and the rules make of it."""
