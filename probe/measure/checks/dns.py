"""Does the name resolve, and do two paths agree?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Step

NAME = "dns"
SURFACE = "web"


async def check(context: Context) -> list[Step]:
    """Report the run's resolution: the system's resolver with every reply it gave, and the second path."""
    return [step for step in await context.resolution() if step is not None]
