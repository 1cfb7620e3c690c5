"""What a gateway can do to its provider's traffic: the methods of `methods.toml`."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

Arrive = Literal["accept", "refuse", "reset", "drop", "silence"]


class Interference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way of interfering; `methods.toml` explains the words. The defaults interfere with nothing."""

    surfaces: tuple[Literal["app", "web", "other"], ...] = ()
    """What is interfered with. `other` is everything that isn't the service: controls and the second resolver."""
    dns: Literal["answer", "nxdomain", "forge", "inject", "ignore"] = "answer"
    arrive: Arrive = "accept"
    tls: Literal["serve", "reset", "reset-name", "ignore", "impostor"] = "serve"
    http: Literal["serve", "page"] = "serve"
    mtproto: Literal["serve", "ignore"] = "serve"
    pace: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Most bytes per second of the web site's answers over TLS; 0 is no limit."""
    endpoints: tuple[str, ...] = ()
    """The app's endpoints that are interfered with; empty means all of them."""

    def touches(self, surface: str, endpoint: str = "") -> bool:
        """Whether a surface, or one endpoint of the app, is interfered with."""
        return surface in self.surfaces and (not endpoint or not self.endpoints or endpoint in self.endpoints)


PASS = Interference()


@functools.cache
def methods() -> dict[str, Interference]:
    """The rows of `methods.toml`, by method."""
    raw = Path(__file__).with_name("methods.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(raw), dict[str, Interference])
