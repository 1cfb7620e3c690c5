"""Do Telegram's datacentres answer in MTProto? Each try has a connection of its own, so that a partial block shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probe.measure import bytes_on_wire
from probe.measure.plan import RunPlan, endpoint_tries, remaining_ipv6_tries

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.measure.plan import EndpointTry
    from probe.protocol.measurement import Step
    from probe.protocol.watch import Endpoint, Watch

NAME = "telegram"
SURFACE = "app"

_EXCHANGE = bytes_on_wire.OPEN_AND_CLOSE + bytes_on_wire.stream(200) + bytes_on_wire.stream(200)
"""One try: a connection, and about 100 bytes each way, padded by the obfuscated transport."""


def expected_bytes(watch: Watch, sweep: bool) -> int:
    """The tries of one run on a line with IPv4 and IPv6."""
    app = watch.surfaces.app
    return _EXCHANGE * len(endpoint_tries(RunPlan(sweep=sweep, turn=0), app.endpoints, lambda _: True)) if app else 0


async def check(context: Context) -> list[Step]:
    """Connect to the datacentres as the run's plan says, and ask each for resPQ.

    When IPv6 fails in a light run, which tests it at one datacentre, it is tried at the others too.
    """
    app = context.watch.surfaces.app
    assert app is not None
    steps = await _all(context, endpoint_tries(context.plan, app.endpoints, context.has_route))
    ipv6_failed = any(s.failure and s.address.startswith("[") for s in steps)
    if ipv6_failed and context.control_reached6 and not context.plan.sweep:
        steps += await _all(context, remaining_ipv6_tries(context.plan, app.endpoints, context.has_route))
    return steps


async def _all(context: Context, tries: list[tuple[Endpoint, EndpointTry]]) -> list[Step]:
    by_try = await asyncio.gather(*(_endpoint(context, endpoint, try_) for endpoint, try_ in tries))
    return [step for steps in by_try for step in steps]


async def _endpoint(context: Context, endpoint: Endpoint, try_: EndpointTry) -> list[Step]:
    """Connect, hold the connection in silence, then send the first message: this shows at which stage it is cut."""
    with await context.connect(endpoint.id, try_.address, try_.port) as connection:
        await connection.hold(context.hold_s)
        await connection.exchange(try_.transport)
    return connection.steps
