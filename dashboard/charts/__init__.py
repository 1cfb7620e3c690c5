"""The charts on the pages."""
