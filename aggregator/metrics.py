"""Every metric of the aggregator; `/metrics` serves them in the Prometheus text format.

Others may collect them, so no label holds a probe, a subscriber's line or an address.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)

SEGMENTS = Counter(
    "blockonset_segments", "Segments received and not refused: `new`, or stored before and sent `again`.", ["fate"]
)
REJECTED = Counter("blockonset_segments_rejected", "Segments refused, by reason.", ["reason"])
MEASUREMENTS = Counter("blockonset_measurements", "Measurements stored.")
BATCH_SECONDS = Histogram("blockonset_batch_seconds", "Time to store and judge a batch.", buckets=_SECONDS)
STORE_FAILURES = Counter("blockonset_store_failures", "Failed attempts to store a batch; each was tried again.")
NATS_FAILURES = Counter("blockonset_nats_failures", "Failures of the connection to NATS.")
QUESTIONS = Counter("blockonset_questions", "Questions of probes that were answered.")
KNOWN_UNTIL = Gauge(
    "blockonset_known_until_seconds", "Until when all received segments are stored and judged, seconds since the epoch."
)
REVISIONS = Counter("blockonset_revisions", "Revisions of answers appended.")
INFER_SECONDS = Histogram("blockonset_infer_seconds", "Reading one answer's rows and inferring it.", buckets=_SECONDS)
WAITING = Gauge("blockonset_answers_waiting", "Answers whose rows have changed since they were made.")
