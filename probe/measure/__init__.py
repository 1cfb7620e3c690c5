"""One run: the checks that are due, their controls, and the data that they use."""
