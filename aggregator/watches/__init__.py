"""The watches that an aggregator serves, and the commands that check and sign them."""
