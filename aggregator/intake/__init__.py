"""From signed segments on NATS to rows in the store and receipts for them, and the answers to probes' questions."""
