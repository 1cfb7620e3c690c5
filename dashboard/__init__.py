"""The analysts' dashboard: web pages made from the HTTP API alone."""
