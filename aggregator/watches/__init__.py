"""The watches that an aggregator serves, and the commands that check, sign and show them."""
