"""The addresses of collectors: which schemes there are, and which are encrypted."""

from __future__ import annotations

SECURE = ("tls://", "wss://")
SCHEMES = ("nats://", "ws://", *SECURE)
