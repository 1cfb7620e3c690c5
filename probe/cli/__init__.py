"""The command line `blockonset probe`."""
