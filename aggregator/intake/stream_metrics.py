"""How much waits in the stream, as metrics. It grows while the store is away; once it is full, probes keep theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from nats.errors import Error as NatsError

from aggregator import metrics
from aggregator.intake.stream import STREAM
from probe.base.stopping import stops_within, unless_stopped

if TYPE_CHECKING:
    import asyncio

    from probe.nats.link import NatsLink

log = structlog.get_logger()
EVERY_S = 5.0


async def watch_stream(connection: NatsLink, stop: asyncio.Event) -> None:
    """Ask NATS every few seconds, until `stop` is set. While it does not answer, the last numbers stay."""
    while not stop.is_set():
        client = await unless_stopped(stop, connection.ready())
        if client is None:
            return
        try:
            info = await client.jetstream().stream_info(STREAM)
        except (NatsError, ConnectionError, TimeoutError) as e:
            log.debug("NATS did not tell how full the stream is", error=f"{type(e).__name__}: {e}")
        else:
            metrics.STREAM_MESSAGES.set(info.state.messages)
            metrics.STREAM_BYTES.set(info.state.bytes)
            metrics.STREAM_MAX_BYTES.set(info.config.max_bytes or 0)
        await stops_within(stop, EVERY_S)
