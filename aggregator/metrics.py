"""Every metric of the aggregator; `/metrics` serves them in the Prometheus text format.

Others may collect them, so no label holds a probe, a subscriber's line or an address.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, Info

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
"""Upper bounds of the buckets of every histogram of times."""

SEGMENTS = Counter(
    "blockonset_segments", "Segments received and not refused: `new`, or stored before and sent `again`.", ["fate"]
)
REJECTED = Counter("blockonset_segments_rejected", "Segments refused, by reason.", ["reason"])
MEASUREMENTS = Counter("blockonset_measurements", "Measurements stored.")
BATCH_SECONDS = Histogram("blockonset_batch_seconds", "Time to store and judge a batch.", buckets=SECONDS)
STORE_FAILURES = Counter("blockonset_store_failures", "Failed attempts to store a batch; each was tried again.")
NATS_UP = Gauge("blockonset_nats_up", "Whether the connection to NATS is up (1) or not (0).")
STREAM_MESSAGES = Gauge("blockonset_stream_messages", "Messages in the stream that are not taken in yet.")
STREAM_BYTES = Gauge("blockonset_stream_bytes", "Their bytes.")
STREAM_MAX_BYTES = Gauge("blockonset_stream_max_bytes", "The most bytes that the stream keeps; then probes wait.")
NATS_FAILURES = Counter("blockonset_nats_failures", "Failures of the connection to NATS.")
QUESTIONS = Counter("blockonset_questions", "Questions of probes that were answered.")
KNOWN_UNTIL = Gauge(
    "blockonset_known_until_timestamp_seconds",
    "Until when all received segments are stored and judged, seconds since the epoch.",
)
REVISIONS = Counter("blockonset_revisions", "Revisions of answers appended.")
INFER_SECONDS = Histogram("blockonset_infer_seconds", "Reading one answer's rows and inferring it.", buckets=SECONDS)
WAITING = Gauge("blockonset_answers_waiting", "Answers whose rows have changed since they were made.")
BUILD = Info("blockonset_build", "The version of the software, of the rules in use and of the model.")
