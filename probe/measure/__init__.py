"""One run: the checks that are due, their controls, and what they cost."""
