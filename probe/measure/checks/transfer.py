"""How fast is a download from the service, compared with one from the control in the same minute?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.measure import bytes_on_wire
from probe.protocol.addresses import is_bogon

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Part, Step
    from probe.protocol.watch import Watch

NAME = "transfer"
SURFACE = "web"
SWEEPS_ONLY = True
TRIGGERS_SWEEP = False

_TRANSFER = bytes_on_wire.HTTPS_HANDSHAKE + bytes_on_wire.stream(65_536)


def expected_bytes(watch: Watch, _sweep: bool) -> int:
    """A download from the control and one from the service, where the watch names what to download."""
    web = watch.surfaces.web
    return 2 * _TRANSFER if web and web.transfer else 0


async def check(context: Context) -> list[Step]:
    """Download from the control, then from the web host: at the same time they would share the line's bandwidth."""
    control, web = context.watch.control, context.web
    if not (control.transfer and web.transfer):
        return []
    resolved = [] if control.addresses else [await context.resolve(control.host, "control")]
    known = control.addresses or tuple(a for a in resolved[0].answers if not is_bogon(a))
    control_steps = await _download(context, control.host, known[:1], control.transfer, "control")
    addresses = await context.web_addresses()
    return [*resolved, *control_steps, *await _download(context, web.host, addresses[:1], web.transfer, "target")]


async def _download(context: Context, host: str, addresses: tuple[str, ...], path: str, part: Part) -> list[Step]:
    steps: list[Step] = []
    for address in addresses:
        with await context.connect(host, address, 443, part) as connection:
            await connection.handshake(host)
            await connection.transfer(host, path)
        steps += connection.steps
    return steps
