"""The HTTP API: the one way in for everybody, the dashboard included. Everything here reads; nothing writes."""

from aggregator.api.app import create_app

__all__ = ["create_app"]
