"""The URL schemes of collectors, and which of them are encrypted."""

from __future__ import annotations

SECURE = ("tls://", "wss://")
SCHEMES = ("nats://", "ws://", *SECURE)
