"""The HTTP API, through which everybody reads, the dashboard included. It never writes."""
