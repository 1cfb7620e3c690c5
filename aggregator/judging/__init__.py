"""Verdicts on runs: facts.sql turns steps into facts, and the rules of a versioned set decide by them."""
