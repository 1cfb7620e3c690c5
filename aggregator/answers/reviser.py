"""Revising answers: where new rows came in, read them all, infer, and append what changed. Nothing is overwritten."""

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

if TYPE_CHECKING:
    from aggregator.judging.rule_set import RuleSet
    from aggregator.store.store import Store
    from probe.protocol.watch import Watch

log = structlog.get_logger()

REFERENCE_CADENCES = 1.5
"""A reference speaks for runs this many cadences around it."""
SPEED_SWEEPS = 1.5
"""A transfer speaks for runs this many times the watch's `sweep_s` around it."""
_SOONEST_S = 2.0
_SAME_AGAIN_S = 30.0
_LOOK_S = 0.25

_TYPES: dict[str, type[np.int8]] = dict.fromkeys(("outcome", "control", "reference"), np.int8)

Infer = Callable[[Rows, Parameters], Answer]


class AnswerKey(NamedTuple):
    """What an answer is about."""

    watch: str
    provider: str
    surface: str


class Reviser:
    """Keeps the answers of one store up with its rows."""

    def __init__(
        self,
        store: Store,
        watches: Mapping[str, Watch],
        rules: RuleSet,
        infer: Infer,
        known_ms: Callable[[], int],
    ) -> None:
        """`known_ms` tells up to when everything received is stored and judged."""
        self._store = store
        self._watches = watches
        self._rules = rules
        self._infer = infer
        self._known_ms = known_ms
        self._dirty: set[AnswerKey] = set()
        self._tried: dict[AnswerKey, float] = {}
        self._last: dict[AnswerKey, tuple[Answer, float] | None] = {}

    def touch(self, pairs: Iterable[tuple[str, str]]) -> None:
        """New rows of these (watch, provider); "" for the provider means all of the watch's."""
        for watch, provider in pairs:
            w = self._watches[watch]
            providers = [provider] if provider else [p.id for p in w.providers]
            self._dirty |= {AnswerKey(watch, p, s) for p in providers for s in w.surfaces.names()}
        metrics.WAITING.set(len(self._dirty))

    async def run(self, stop: asyncio.Event) -> None:
        """Revise what is dirty until told to stop, each answer at most once a cadence, one at a time.

        After each answer it rests for as long as that took: ingest and the API share this process.
        """
        self.touch((w, "") for w in self._watches)
        while not stop.is_set():
            place = self._due()
            started = time.monotonic()
            if place is not None:
                await asyncio.to_thread(self._try, place)
            rest = _LOOK_S if place is None else min(time.monotonic() - started, 1.0)
            try:
                await asyncio.wait_for(stop.wait(), rest)
            except TimeoutError:
                continue

    def revise(self, place: AnswerKey) -> Answer | None:
        """Infer one answer anew from all that is known, and append it where it says something new.

        Others of the watch that changed together with it, or no longer did, are told anew too. None where nothing was
        measured. Raises StoreError.
        """
        as_of = self._known_ms()
        rows = self.rows(place, as_of)
        if rows is None:
            return None
        watch = self._watches[place.watch]
        answers = {place: self._infer(rows, watch_parameters.of_watch(watch))}
        beside = [AnswerKey(watch.id, p.id, place.surface) for p in watch.providers if p.id != place.provider]
        answers |= {other: before[0] for other in beside if (before := self._before(other))}
        upstreams = {p.id: p.upstreams for p in watch.providers}
        every = [round(watch.cadence_s * 1000)] * len(answers)
        marked = common_cause.marked([common_cause.unmarked(a) for a in answers.values()], every, upstreams)
        for other, answer in zip(answers, marked, strict=True):
            self._tell(other, answer, as_of)
        return marked[0]

    def _before(self, place: AnswerKey) -> tuple[Answer, float] | None:
        """The last answer and when it was made, from memory or the store."""
        if place not in self._last:
            self._last[place] = self._stored(place)
        return self._last[place]

    def _tell(self, place: AnswerKey, answer: Answer, as_of: int) -> None:
        """Append an answer if it says something new, or if only its counts changed and the last one is old."""
        made, before = time.time(), self._before(place)
        if before is not None and before[0] == answer:
            return
        old = max(_SAME_AGAIN_S, self._watches[place.watch].cadence_s)
        if before is None or _told(before[0]) != _told(answer) or made - before[1] >= old:
            self._append(place, answer, as_of, round(made * 1000))
            self._last[place] = (answer, made)

    def rows(self, place: AnswerKey, as_of: int) -> Rows | None:
        """The rows behind an answer as they were known at `as_of`, or None where there are none. Raises StoreError."""
        c = self._store.columns(
            "rows",
            rule_set=self._rules.version,
            watch=place.watch,
            provider=place.provider,
            surface=place.surface,
            as_of=as_of,
            near_ms=round(REFERENCE_CADENCES * self._watches[place.watch].cadence_s * 1000),
            hold_ms=round(SPEED_SWEEPS * self._watches[place.watch].sweep_s * 1000),
            slow=THROTTLED,
        )
        if not c:
            return None
        return Rows(
            watch=place.watch,
            provider=place.provider,
            surface=place.surface,
            **{name: column.astype(_TYPES.get(name, column.dtype)) for name, column in c.items()},
        )

    def _due(self) -> AnswerKey | None:
        """The dirty answer that waits longest, if its cadence has passed; it is no longer dirty then."""
        now = time.monotonic()
        due = [p for p in self._dirty if now - self._tried.get(p, -np.inf) >= self._pause_s(p)]
        if not due:
            return None
        place = min(due, key=lambda p: (self._tried.get(p, -np.inf), p))
        self._dirty.discard(place)
        self._tried[place] = now
        metrics.WAITING.set(len(self._dirty))
        return place

    def _pause_s(self, place: AnswerKey) -> float:
        return max(_SOONEST_S, self._watches[place.watch].cadence_s)

    def _try(self, place: AnswerKey) -> None:
        """Revise; what fails is dirty again, and nobody else has to wait for it."""
        try:
            with metrics.INFER_SECONDS.time():
                self.revise(place)
        except StoreError as e:
            self._dirty.add(place)
            log.warning("an answer could not be revised; will try again", error=str(e), **place._asdict())
        except Exception:
            log.exception("our own bug while revising", **place._asdict())

    def _stored(self, place: AnswerKey) -> tuple[Answer, float] | None:
        """The last answer under these rules that is stored, and when it was made; None, too, where it can't be read."""
        found = self._store.read("last_answer", **place._asdict(), rule_set=self._rules.version)
        try:
            return (msgspec.json.decode(found[0]["answer"], type=Answer), found[0]["made"] / 1000) if found else None
        except msgspec.DecodeError:  # of a model whose answers had another shape
            return None

    def _append(self, place: AnswerKey, answer: Answer, as_of: int, made: int) -> None:
        onset = answer.onset.estimate if answer.onset else None
        row: dict[str, Any] = {
            **place._asdict(),
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


def _told(answer: Answer) -> Answer:
    """What an answer tells, without how much it was made from."""
    return msgspec.structs.replace(answer, measurements=0, used=0, input_digest="")
