"""What a gateway does to its provider's traffic: the methods as rows, and which row is in force at a moment."""

from __future__ import annotations

import functools
import random
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

if TYPE_CHECKING:
    from infra.lab.scenario import Provider

Arrive = Literal["accept", "refuse", "reset", "drop", "silence"]


class Interference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way of interfering; `methods.toml` says what the words mean. The defaults pass everything on."""

    surfaces: tuple[Literal["app", "web", "other"], ...] = ()
    """What is touched. `other` is everything that isn't the service: controls and the second resolver."""
    dns: Literal["answer", "nxdomain", "forge", "inject", "ignore"] = "answer"
    arrive: Arrive = "accept"
    tls: Literal["serve", "reset", "reset-name", "ignore", "impostor"] = "serve"
    http: Literal["serve", "page"] = "serve"
    mtproto: Literal["serve", "ignore"] = "serve"
    pace: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Bytes a second that the web site's answers over TLS get through at; 0 is without limit."""
    endpoints: tuple[str, ...] = ()
    """The app's endpoints that are touched; empty means all of them."""

    def touches(self, surface: str, endpoint: str = "") -> bool:
        """Whether a surface, or one endpoint of the app, is interfered with."""
        return surface in self.surfaces and (not endpoint or not self.endpoints or endpoint in self.endpoints)


PASS = Interference()
OUTAGE = Interference(surfaces=("app", "web", "other"), dns="ignore", arrive="drop")
LOSSY = Interference(surfaces=("app", "web"), dns="ignore", arrive="silence")
"""A bad moment of a flaky line: what goes to the service is lost, and the control has luck."""


@functools.cache
def methods() -> dict[str, Interference]:
    """The rows of `methods.toml`, by method."""
    raw = Path(__file__).with_name("methods.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(raw), dict[str, Interference])


def in_force(provider: Provider | None, line: int, t: float, *, slot_s: float, seed: int) -> Interference:
    """What happens to a line's traffic `t` seconds after zero; `provider` None is a network that nobody censors.

    A flaky line is bad or good for a whole slot of `slot_s` seconds, by a draw that depends on the seed alone.
    """
    if provider is None:
        return PASS
    if provider.outage and provider.outage.start_s <= t < provider.outage.end_s:
        return OUTAGE
    if (
        provider.flaky
        and provider.flaky.line == line
        and _bad(seed, provider.id, int(t // slot_s), provider.flaky.share)
    ):
        return LOSSY
    block = provider.block
    if block and block.onset_s <= t and (block.lift_s is None or t < block.lift_s):
        return _row(block.method, block.endpoints)
    return PASS


@functools.cache
def _row(method: str, endpoints: tuple[str, ...]) -> Interference:
    row = methods()[method]
    if not endpoints:
        return row
    return msgspec.structs.replace(row, surfaces=("app",), endpoints=endpoints)


@functools.lru_cache(maxsize=64)
def _bad(seed: int, provider: str, slot: int, share: float) -> bool:
    return random.Random(f"{seed}/{provider}/{slot}").random() < share  # noqa: S311 - a repeatable draw, no secret
