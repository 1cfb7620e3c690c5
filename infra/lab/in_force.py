"""Which interference is in force on a line at a given time."""

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
"""A bad slot of a flaky line: traffic to the service is lost, and the control works."""


def in_force(provider: ScenarioProvider | None, line: int, t: float, *, slot_s: float, seed: int) -> Interference:
    """The interference on a line `t` seconds after zero; `provider` None is an uncensored network.

    A flaky line is bad or good for a whole slot of `slot_s` seconds. The draw depends only on the arguments, so that a
    restart repeats it.
    """
    if provider is None:
        return PASS
    if provider.outage and provider.outage.start_s <= t < provider.outage.end_s:
        return OUTAGE
    if (
        provider.flaky
        and provider.flaky.line == line
        and _is_bad_slot(seed, provider.id, int(t // slot_s), provider.flaky.share)
    ):
        return LOSSY
    block = provider.block
    if block and block.onset_s <= t and (block.lift_s is None or t < block.lift_s):
        return _interference(block.method, block.endpoints)
    return PASS


@functools.cache
def _interference(method: str, endpoints: tuple[str, ...]) -> Interference:
    row = methods()[method]
    if not endpoints:
        return row
    return msgspec.structs.replace(row, surfaces=("app",), endpoints=endpoints)


@functools.lru_cache(maxsize=64)
def _is_bad_slot(seed: int, provider: str, slot: int, share: float) -> bool:
    return random.Random(f"{seed}/{provider}/{slot}").random() < share  # noqa: S311 - repeatable on purpose, no secret
