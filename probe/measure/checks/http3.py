"""Does HTTP/3 work: QUIC under the service's name, and for comparison under a harmless name and to the control?

A failure here is recorded but gives no verdict: many services don't speak QUIC, and many networks drop UDP 443 for all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probe.net import quic_process
from probe.protocol.addresses import is_bogon

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.net.quic_process import QuicHandshake
    from probe.protocol.measurement import Step
    from probe.protocol.watch import Watch

NAME = "http3"
SURFACE = "web"
SWEEPS_ONLY = True
TRIGGERS_SWEEP = False

QUIC = 5_600
"""Bytes of one handshake with a chain of two RSA certificates, as measured. An unanswered one takes 3,700."""


def is_available() -> bool:
    """Whether the extra `http3` is installed."""
    return quic_process.is_installed()


def expected_bytes(watch: Watch, _sweep: bool) -> int:
    """A handshake with the service, one with the control, and one under the contrast if there is one."""
    web = watch.surfaces.web
    return QUIC * (3 if web and web.contrast else 2)


async def check(context: Context) -> list[Step]:
    """Shake hands over QUIC with the web host, under both names, and with the control."""
    return await context.quic(*await asyncio.gather(_service(context), _control(context)))


async def _service(context: Context) -> list[QuicHandshake]:
    """Handshakes at the address that a browser would use. The contrast goes first.

    A censor that reads server names in QUIC may drop the whole flow between two addresses for minutes after a blocked
    name, as China's was observed to do in 2024 and 2025 (gfw.report). Sent second, the contrast would be cut too.
    """
    host, contrast = context.web.host, context.web.contrast
    handshakes = []
    for address in (await context.web_addresses())[:1]:
        if contrast:
            handshakes.append(context.handshake(host, address, contrast, "contrast"))
        handshakes.append(context.handshake(host, address, host))
    return handshakes


async def _control(context: Context) -> list[QuicHandshake]:
    """A handshake with the control, if it speaks QUIC: does UDP 443 get anywhere at all from this line?

    The step that resolves its name is part of the control's own steps and is not repeated here.
    """
    control = context.watch.control
    known = control.addresses or (await context.resolve(control.host, "control")).answers
    usable = [a for a in known if not is_bogon(a) and context.has_route(a)]
    return [context.handshake(control.host, a, control.host, "control") for a in usable[:1]]
