"""The statistical model. Knows arrays and nothing of stores, APIs or probes."""
