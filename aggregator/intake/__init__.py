"""From signed segments on NATS to rows in the store, and the receipts for them."""
