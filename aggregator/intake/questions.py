"""Answering the questions that probes ask on `q.<probe>`, see `probe.protocol.questions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from aggregator.intake import fates
from probe.base import clock
from probe.base.errors import UserError
from probe.protocol import receipt, watch_file, withdrawal
from probe.protocol.keys import is_id
from probe.protocol.questions import Question, WatchRequest, WithdrawalRequest
from probe.protocol.receipt import KeptWithdrawal, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aggregator.store.store import Store
    from probe.protocol.keys import Key
    from probe.protocol.receipt import SegmentFate
    from probe.protocol.watch import Watch

log = structlog.get_logger()


class QuestionError(UserError):
    """A question that gets no reply: it is malformed, or the probe may not ask it."""


class QuestionHandler:
    """Answers questions from one store. Its calls block; they may run in another thread than the ingest's."""

    def __init__(
        self,
        store: Store,
        operator: Key,
        watches: Mapping[str, Watch],
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        """`operator` signs the receipts and watches, `watches` are those served now, by id."""
        self._store = store
        self._operator = operator
        self._watches = watches
        self._now_ms = now_ms

    def answer(self, probe: str, data: bytes, *, is_caught_up: bool) -> bytes:
        """The reply to a question. `probe` is the id from the subject that it came on, `data` the message's body.

        `is_caught_up`: no message waited in the stream a moment ago. While some wait, a segment that isn't stored may
        be among them. It is then left out of the receipt: the probe would send again what is called unknown, and give
        an aggregator that is already behind even more to do.

        Raises QuestionError where no reply is due, StoreError where the store fails.
        """
        if not is_id(probe, "user"):
            raise QuestionError(f"the subject names no probe: {probe[:60]!r}")
        try:
            question = msgspec.json.decode(data, type=Question)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise QuestionError(f"malformed question: {e}") from e
        if isinstance(question, WithdrawalRequest):
            return self._keep_withdrawal(probe, question.line)
        if isinstance(question, WatchRequest):
            return self._newer_watch(question.watch, question.digest)
        return self._fates(probe, question.segments, is_caught_up=is_caught_up)

    def _fates(self, probe: str, segment_ids: Sequence[str], *, is_caught_up: bool) -> bytes:
        """A receipt about these segments. Another probe's segment is as unknown as one that was never received."""
        known = {i: fate for i, fate in fates.look_up(self._store, segment_ids).items() if fate.probe == probe}
        return self._receipt(probe, [fates.entry(i, known.get(i)) for i in segment_ids if is_caught_up or i in known])

    def _keep_withdrawal(self, probe: str, line: str) -> bytes:
        """Store a withdrawal that the probe itself signed, once, and give a receipt for it."""
        try:
            asked = withdrawal.read(line)
        except UserError as e:
            raise QuestionError(e.message) from e
        if asked.probe != probe:
            raise QuestionError(f"withdrawal: it is about {asked.probe}, but {probe} sent it")
        if not self._store.read("withdrawn", probe=probe, line=line)[0]["kept"]:
            row = {"probe": probe, "asked": asked.asked_ms, "received": self._now_ms(), "line": line}
            self._store.insert_row("withdrawals", row)
            log.warning("a probe has withdrawn: its rows are no longer published", probe=probe)
        return self._receipt(probe, [KeptWithdrawal(subject=withdrawal.id_of(line))])

    def _newer_watch(self, watch_id: str, digest: str) -> bytes:
        """The signed watch as it is served now; empty where the asker has this text, or where it isn't served here."""
        watch = self._watches.get(watch_id)
        if watch is None or watch.digest == digest:
            return b""
        stored = next((row for row in self._store.read("watch_texts") if row["watch"] == watch_id), None)
        if stored is None or stored["digest"] != watch.digest:
            return b""
        return watch_file.sign(stored["text"].encode(), self._operator)

    def _receipt(self, probe: str, entries: Sequence[SegmentFate | KeptWithdrawal]) -> bytes:
        return receipt.sign(Receipt(probe=probe, issued_ms=self._now_ms(), entries=tuple(entries)), self._operator)
