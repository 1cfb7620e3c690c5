"""Which interference is in force on a line at a moment."""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING

import msgspec

from infra.lab.interference import PASS, Interference, methods

if TYPE_CHECKING:
    from infra.lab.scenario import ScenarioProvider
OUTAGE = Interference(surfaces=("app", "web", "other"), dns="ignore", arrive="drop")
LOSSY = Interference(surfaces=("app", "web"), dns="ignore", arrive="silence")
"""A bad moment of a flaky line: what goes to the service is lost, and the control has luck."""


def in_force(provider: ScenarioProvider | None, line: int, t: float, *, slot_s: float, seed: int) -> Interference:
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
