"""Revising answers: where new rows came in, all rows are read again, and an answer that changed is appended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import structlog

from aggregator import metrics
from aggregator.inference import watch_parameters
from aggregator.inference.answer import common_cause
from aggregator.inference.answer.answer import Answer
from aggregator.inference.rows.clean import THROTTLED
from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.rows.rows import Rows
from aggregator.store.store import StoreError
from probe.base import times
from probe.base.stopping import stops_within

if TYPE_CHECKING:
    from aggregator.judging.rule_set import RuleSet
    from aggregator.store.store import Store
    from probe.protocol.watch import Watch

log = structlog.get_logger()

REFERENCE_CADENCES = 1.5
"""A reference's run is compared with runs up to this many cadences before and after it."""
SPEED_SWEEPS = 1.5
"""A transfer's speed holds for runs up to this many times the watch's `sweep_s` before and after it."""
_MIN_INTERVAL_S = 2.0
"""Least time between two revisions of an answer; its watch's cadence, where that is longer."""
_COUNTS_INTERVAL_S = 30.0
"""Least time until an answer of which only the counts changed is appended; the cadence, where that is longer."""
_POLL_S = 0.25
"""Time between two looks at the answers to revise, when none is due."""

_TYPES: dict[str, type[np.int8]] = dict.fromkeys(("outcome", "control", "reference"), np.int8)

Infer = Callable[[Rows, Parameters], Answer]


class AnswerKey(NamedTuple):
    """What an answer is about; ids and the surface's name."""

    watch: str
    provider: str
    surface: str


class Reviser:
    """Keeps the stored answers up to date with the stored rows."""

    def __init__(
        self,
        store: Store,
        watches: Mapping[str, Watch],
        rules: RuleSet,
        infer: Infer,
        complete_ms: Callable[[], int],
    ) -> None:
        """`complete_ms` gives the time up to which everything received is stored and judged, in ms."""
        self._store = store
        self._watches = watches
        self._rules = rules
        self._infer = infer
        self._complete_ms = complete_ms
        self._dirty: set[AnswerKey] = set()
        self._tried: dict[AnswerKey, float] = {}  # when each was last revised, by the monotonic clock
        self._last: dict[AnswerKey, tuple[Answer, float] | None] = {}

    def touch(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Mark the answers about these (watch, provider) to be revised. The provider "" means all of the watch."""
        for watch, provider in pairs:
            found = self._watches[watch]
            providers = [provider] if provider else [p.id for p in found.providers]
            self._dirty |= {AnswerKey(watch, p, s) for p in providers for s in found.surfaces.names()}
        metrics.WAITING.set(len(self._dirty))

    async def run(self, stop: asyncio.Event) -> None:
        """Revise marked answers until `stop` is set, one at a time, and each at most once per cadence.

        After each answer this pauses for as long as it took, at most 1 s: ingest and the API share the process.
        """
        self.touch((w, "") for w in self._watches)
        while not stop.is_set():
            key = self._due()
            started = time.monotonic()
            if key is not None:
                await asyncio.to_thread(self._revise_safely, key)
            pause = _POLL_S if key is None else min(time.monotonic() - started, 1.0)
            await stops_within(stop, pause)

    def revise(self, key: AnswerKey) -> Answer | None:
        """Infer one answer from all rows, and append it if it changed. Returns it, or None where nothing was measured.

        Other answers of the watch are appended too where a common cause with this one appeared or disappeared. Raises
        StoreError.
        """
        as_of = self._complete_ms()
        rows = self.rows(key, as_of)
        if rows is None:
            return None
        watch = self._watches[key.watch]
        answers = {key: self._infer(rows, watch_parameters.of_watch(watch))}
        others = [AnswerKey(watch.id, p.id, key.surface) for p in watch.providers if p.id != key.provider]
        answers |= {other: last[0] for other in others if (last := self._last_answer(other))}
        upstreams = {p.id: p.upstreams for p in watch.providers}
        cadences_ms = [round(watch.cadence_s * 1000)] * len(answers)
        marked = common_cause.marked([common_cause.unmarked(a) for a in answers.values()], cadences_ms, upstreams)
        for answered, answer in zip(answers, marked, strict=True):
            self._append_if_changed(answered, answer, as_of)
        return marked[0]

    def _last_answer(self, key: AnswerKey) -> tuple[Answer, float] | None:
        """The last answer and when it was made (s since the epoch), from memory or else from the store."""
        if key not in self._last:
            self._last[key] = self._stored(key)
        return self._last[key]

    def _append_if_changed(self, key: AnswerKey, answer: Answer, as_of: int) -> None:
        """Append an answer that differs from the last one. If only its counts do, the last one must be old enough."""
        made, last = time.time(), self._last_answer(key)
        if last is not None and last[0] == answer:
            return
        interval_s = max(_COUNTS_INTERVAL_S, self._watches[key.watch].cadence_s)
        if last is None or _without_counts(last[0]) != _without_counts(answer) or made - last[1] >= interval_s:
            self._append(key, answer, as_of, round(made * 1000))
            self._last[key] = (answer, made)

    def rows(self, key: AnswerKey, as_of: int) -> Rows | None:
        """The rows behind an answer, as known at `as_of` (ms), or None where there are none. Raises StoreError."""
        columns = self._store.columns(
            "rows",
            rule_set=self._rules.version,
            watch=key.watch,
            provider=key.provider,
            surface=key.surface,
            as_of=as_of,
            near_ms=round(REFERENCE_CADENCES * self._watches[key.watch].cadence_s * 1000),
            hold_ms=round(SPEED_SWEEPS * self._watches[key.watch].sweep_s * 1000),
            slow=THROTTLED,
        )
        if not columns:
            return None
        return Rows(
            watch=key.watch,
            provider=key.provider,
            surface=key.surface,
            **{name: column.astype(_TYPES.get(name, column.dtype)) for name, column in columns.items()},
        )

    def _due(self) -> AnswerKey | None:
        """Take the marked answer that was revised longest ago, if its cadence has passed since. Its mark is removed."""
        now = time.monotonic()
        due = [p for p in self._dirty if now - self._tried.get(p, -np.inf) >= self._interval_s(p)]
        if not due:
            return None
        key = min(due, key=lambda p: (self._tried.get(p, -np.inf), p))
        self._dirty.discard(key)
        self._tried[key] = now
        metrics.WAITING.set(len(self._dirty))
        return key

    def _interval_s(self, key: AnswerKey) -> float:
        return max(_MIN_INTERVAL_S, self._watches[key.watch].cadence_s)

    def _revise_safely(self, key: AnswerKey) -> None:
        """Revise, and log what fails. After a failure of the store the answer is marked again."""
        try:
            with metrics.INFER_SECONDS.time():
                self.revise(key)
        except StoreError as e:
            self._dirty.add(key)
            log.warning("an answer could not be revised; will try again", error=str(e), **key._asdict())
        except Exception:
            log.exception("an answer could not be revised because of a bug", **key._asdict())

    def _stored(self, key: AnswerKey) -> tuple[Answer, float] | None:
        """The last stored answer under these rules, and when it was made; None where there is none that can be read."""
        found = self._store.read("last_answer", **key._asdict(), rule_set=self._rules.version)
        try:
            return (msgspec.json.decode(found[0]["answer"], type=Answer), found[0]["made"] / 1000) if found else None
        except msgspec.DecodeError:  # the answer is of a model whose answers had another shape
            return None

    def _append(self, key: AnswerKey, answer: Answer, as_of: int, made: int) -> None:
        onset = answer.onset.estimate if answer.onset else None
        row: dict[str, Any] = {
            **key._asdict(),
            "as_of": as_of,
            "made": made,
            "rule_set": self._rules.version,
            "model": answer.model,
            "input_digest": answer.input_digest,
            "state": answer.state,
            "p_block": answer.p_block,
            "onset": times.milliseconds(times.moment(onset)) if onset else None,
            "answer": msgspec.json.encode(answer).decode(),
        }
        self._store.insert_row("onsets", row)
        metrics.REVISIONS.inc()


def _without_counts(answer: Answer) -> Answer:
    """An answer without how many rows it was made from."""
    return msgspec.structs.replace(answer, measurements=0, used=0, input_digest="")
