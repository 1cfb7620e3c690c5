"""The rows that the inference reads, cleaned, with their parameters and digest."""
