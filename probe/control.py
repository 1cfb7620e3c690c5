"""The control: what nobody blocks, tested beside every measurement. Is this line online, does its resolver work?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.addresses import is_bogon

if TYPE_CHECKING:
    from probe.context import Context
    from probe.measurement import Step


async def steps(context: Context) -> list[Step]:
    """Resolve the control's name, then connect and shake hands: at the resolved address, or else at the watch's.

    So the certificate vouches for the resolver too: one that lies about every name is no censor of the service.

    Only a sweep asks the control for its certificates again: light runs take up the last session with it.

    Where the line has IPv6 too, the same there: what fails over IPv6 says nothing where the control's fails. A light
    run only connects, unless IPv6 is all that the line has.
    """
    control = context.watch.control
    resolved = await context.resolve(control.host, "control")
    found = [resolved]
    if context.ipv4:
        found += await _address(context, _first(4, resolved.answers, control.addresses), shake=True)
    if context.ipv6:
        address = _first(6, control.addresses, ())
        if not address:
            resolved = await context.resolve(control.host, "control", family=6)
            found.append(resolved)
            address = _first(6, resolved.answers, ())
        found += await _address(context, address, shake=context.plan.sweep or not context.ipv4)
    return found


def _first(family: int, *among: tuple[str, ...]) -> str:
    """The first usable address of a family; "" for none."""
    for addresses in among:
        for address in addresses:
            if (":" in address) == (family == 6) and not is_bogon(address):
                return address
    return ""


async def _address(context: Context, address: str, *, shake: bool) -> list[Step]:
    if not address:
        return []
    host = context.watch.control.host
    with await context.connect(host, address, 443, "control") as connection:
        if shake:
            await connection.handshake(host, resume=not context.plan.sweep)
            await connection.keep_session(host)
    return connection.steps
