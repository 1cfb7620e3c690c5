"""Does the name resolve, and do two resolvers agree?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.measure import bytes_on_wire

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Step
    from probe.protocol.watch import Watch

NAME = "dns"
SURFACE = "web"

_LOOKUP_TCP = bytes_on_wire.OPEN_AND_CLOSE + bytes_on_wire.stream(60) + bytes_on_wire.stream(120)


def expected_bytes(_watch: Watch, _sweep: bool) -> int:
    """One question to each resolver."""
    return bytes_on_wire.LOOKUP + _LOOKUP_TCP


async def check(context: Context) -> list[Step]:
    """Report the run's resolution: the system's resolver with every reply it gave, and the second resolver."""
    return [step for step in await context.resolution() if step is not None]
