"""A probe that publishes segments and hears receipts, as the real one does, one at a time."""

from __future__ import annotations

import contextlib
import json

import msgspec

from probe.base.clock import now_ms
from probe.nats.link import connect
from probe.protocol import receipt, segment
from probe.protocol.questions import FatesRequest


class Sender:
    """A probe that publishes segments and hears receipts, as the real one does."""

    def __init__(self, key, operator):
        self.key, self.operator = key, operator
        self.sent, self.told = {}, {}

    @contextlib.asynccontextmanager
    async def at(self, url):
        """Connected for the time of a block."""
        self.connection = await connect(
            [url], self.key, "probe", inbox_prefix=f"_INBOX_{self.key.id}", within_s=10, most_wait_s=0.5
        )
        await self.connection.subscribe(f"r.{self.key.id}", self._hear)
        try:
            yield self
        finally:
            await self.connection.close()

    async def _hear(self, message):
        for entry in receipt.open(message.data, self.operator).entries:
            self.told[entry.subject] = entry.state

    async def send(self, *measurements):
        """Publish a segment of these measurements."""
        sealed = segment.seal(measurements, self.key, len(self.sent) + 1, now_ms())
        self.sent[sealed.id] = sealed
        await self.publish(sealed)
        return sealed

    async def publish(self, sealed):
        """Publish, and wait for JetStream's acknowledgement."""
        answer = await self.connection.request(
            f"m.{self.key.id}", sealed.raw, timeout_s=10, headers={"Nats-Msg-Id": sealed.id}
        )
        assert json.loads(answer.data)["stream"] == "MEASUREMENTS"

    async def ask(self, *ids):
        """What became of these segments, by the aggregator's word."""
        question = msgspec.json.encode(FatesRequest(segments=ids))
        answer = await self.connection.request(f"q.{self.key.id}", question, timeout_s=10)
        return {e.subject: e.state for e in receipt.open(answer.data, self.operator).entries}
