"""What does plain HTTP answer: the service, or a block page?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probe.measure import bytes_on_wire

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Step
    from probe.protocol.watch import Watch

NAME = "http"
SURFACE = "web"
TRIGGERS_SWEEP = False  # port 80 fails on lines where all is well

_PAGE = bytes_on_wire.OPEN_AND_CLOSE + bytes_on_wire.stream(120) + bytes_on_wire.stream(700)


def expected_bytes(_watch: Watch, sweep: bool) -> int:
    """One page in a sweep.

    Light runs get it too, but there the generous numbers of the other checks cover it: for Telegram's watch they add up
    to 12.1 KB over IPv4, and a light run was measured at 11.6 KB with this page (docs/probe-light.md).
    """
    return _PAGE if sweep else 0


async def check(context: Context) -> list[Step]:
    """Ask each address of the web host for its front page on port 80."""
    by_address = await asyncio.gather(*(_address(context, a) for a in await context.web_addresses()))
    return [step for steps in by_address for step in steps]


async def _address(context: Context, address: str) -> list[Step]:
    with await context.connect(context.web.host, address, 80) as connection:
        await connection.request(context.web.host)
    return connection.steps
