"""The control: a host that nobody blocks, tested along with every check. Is the line online, does its resolver work?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from probe.protocol.addresses import is_bogon

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Step


async def steps(context: Context) -> list[Step]:
    """Resolve the control's name, then connect and shake hands: at the resolved address, or else at the watch's.

    The resolved address goes first so that the certificate verifies the resolver too: one that gives false answers for
    every name does not censor the service in particular.

    A light run resolves and connects at once, like a sweep, but shakes hands only when something of the service fails
    or hangs. Where all of the service works, its own certificate and answers prove that the line works, and the
    control's certificates, half of a light run's bytes, are saved.

    On a line with IPv6 the control is tested over it too: a failure over IPv6 is no evidence where the control fails.
    """
    ipv4, ipv6 = await asyncio.gather(_over_ipv4(context), _over_ipv6(context))
    return [*ipv4, *ipv6]


async def _over_ipv4(context: Context) -> list[Step]:
    control = context.watch.control
    resolved = await context.resolve(control.host, "control")
    if not context.ipv4:
        return [resolved]
    return [resolved, *await _address(context, 4, _first(4, resolved.answers, control.addresses))]


async def _over_ipv6(context: Context) -> list[Step]:
    control = context.watch.control
    if not context.ipv6:
        return []
    if address := _first(6, control.addresses, ()):
        return await _address(context, 6, address)
    resolved = await context.resolve(control.host, "control", family=6)
    return [resolved, *await _address(context, 6, _first(6, resolved.answers, ()))]


def _first(family: Literal[4, 6], *among: tuple[str, ...]) -> str:
    """The first usable address of a family; "" for none."""
    for addresses in among:
        for address in addresses:
            if (":" in address) == (family == 6) and not is_bogon(address):
                return address
    return ""


async def _address(context: Context, family: Literal[4, 6], address: str) -> list[Step]:
    if not address:
        return []
    host = context.watch.control.host
    with await context.connect(host, address, 443, "control") as connection:
        if context.plan.sweep or await context.wait_for_doubt(family):
            await connection.handshake(host, resume=not context.plan.sweep)
            await connection.keep_session(host)
    return connection.steps


async def filtering(context: Context) -> bool:
    """Whether the line's resolver answers but denies the watch's canary: by convention it then filters for its users.

    Parental controls and home filters such as Pi-hole deny Mozilla's canary by default.
    """
    canary = context.watch.control.canary
    if not canary:
        return False
    step = await context.network.resolve(canary, limit=context.watch.timeout_s, clock=context.clock, part="control")
    return step.rcode is not None and (not step.answers or all(is_bogon(a) for a in step.answers))
