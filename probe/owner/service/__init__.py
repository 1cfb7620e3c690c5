"""Installs the probe as a user service of the operating system."""
