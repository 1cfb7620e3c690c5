"""Every metric of the aggregator, in one place; `/metrics` gives them in Prometheus' text format.

No label holds a probe, a line or an address: metrics leave the machine.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)

SEGMENTS = Counter("blockonset_segments", "Segments taken in: `new`, or seen before and sent `again`.", ["fate"])
REJECTED = Counter("blockonset_segments_rejected", "Segments refused, by reason.", ["reason"])
MEASUREMENTS = Counter("blockonset_measurements", "Measurements stored.")
BATCH_SECONDS = Histogram("blockonset_batch_seconds", "From a fetched batch to its receipts.", buckets=_SECONDS)
STORE_FAILURES = Counter("blockonset_store_failures", "Batches that the store failed; each was tried again.")
NATS_FAILURES = Counter("blockonset_nats_failures", "Times that the way to NATS broke.")
QUESTIONS = Counter("blockonset_questions", "Questions after lost receipts answered.")
KNOWN_UNTIL = Gauge("blockonset_known_until_seconds", "When the last batch was received, seconds since the epoch.")
REVISIONS = Counter("blockonset_revisions", "Revisions of answers appended.")
INFER_SECONDS = Histogram("blockonset_infer_seconds", "Reading one answer's rows and inferring it.", buckets=_SECONDS)
WAITING = Gauge("blockonset_answers_waiting", "Answers whose rows have changed since they were made.")
