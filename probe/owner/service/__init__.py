"""Installing the probe as a service of the operating system."""
