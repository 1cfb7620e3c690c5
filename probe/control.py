"""The control: what nobody blocks, tested beside every measurement. Is this line online, does its resolver work?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.addresses import is_bogon

if TYPE_CHECKING:
    from probe.context import Context
    from probe.measurement import Step


async def steps(context: Context) -> list[Step]:
    """Resolve the control's name, then connect and shake hands: at the watch's address, or at the resolved one."""
    control = context.watch.control
    resolved = await context.resolve(control.host, "control")
    addresses = control.addresses or tuple(a for a in resolved.answers if not is_bogon(a))
    if not addresses:
        return [resolved]
    with await context.connect(control.host, addresses[0], 443, "control") as connection:
        await connection.handshake(control.host)
    return [resolved, *connection.steps]
