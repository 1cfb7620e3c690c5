"""The HTTP API: the one way in for everybody, the dashboard included. Everything here reads; nothing writes."""
