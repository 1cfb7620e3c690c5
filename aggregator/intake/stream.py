"""The JetStream stream that holds what probes publish, and the aggregator's durable consumer of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError

if TYPE_CHECKING:
    from nats.js.client import JetStreamContext

STREAM = "MEASUREMENTS"
DURABLE = "aggregator"
MAX_MESSAGE_BYTES = 64 * 1024
ACK_WAIT_S = 5.0
"""A message that was fetched and neither acknowledged nor reported as in progress for so long is delivered again."""
_DUPLICATES_S = 120.0
"""NATS drops a message whose `Nats-Msg-Id` it has seen this recently."""


async def make_stream(js: JetStreamContext, max_bytes: int) -> None:
    """Make the stream, or set its limits anew where it exists. Raises nats.errors.Error, TimeoutError."""
    stream = StreamConfig(
        name=STREAM,
        subjects=["m.*"],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_bytes=max_bytes,
        max_msg_size=MAX_MESSAGE_BYTES,
        duplicate_window=_DUPLICATES_S,
    )
    try:
        await js.add_stream(stream)
    except BadRequestError:  # it exists with other limits
        await js.update_stream(stream)


async def subscribe(js: JetStreamContext, max_unacknowledged: int) -> JetStreamContext.PullSubscription:
    """A pull subscription to the durable consumer, which is made or updated. Raises as `make_stream`."""
    consumer = ConsumerConfig(
        durable_name=DURABLE,
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.ALL,
        ack_wait=ACK_WAIT_S,
        max_ack_pending=max_unacknowledged,
    )
    await js.add_consumer(STREAM, consumer)
    return await js.pull_subscribe_bind(durable=DURABLE, stream=STREAM)
