"""Answers are revised when rows change, and stored answers are kept."""

import asyncio
import secrets
import time

import msgspec
import numpy as np
import pytest

from aggregator.answers.reviser import AnswerKey, Reviser
from aggregator.inference.answer import common_cause
from aggregator.inference.onset import infer
from aggregator.inference.rows.rows import FAIL, INCONCLUSIVE, OK, UNKNOWN
from aggregator.inference.watch_parameters import of_watch
from aggregator.intake.ingest import IncomingSegment, Ingest
from aggregator.judging import judge, rule_set
from aggregator.store.store import StoreError
from probe.protocol import segment
from probe.protocol.keys import Key
from tests.support.factory import AT_MS, TEST_WATCH, agree, control, dc, handshake, measurement, transfer

RULES = rule_set.load(rule_set.newest())
CADENCE_MS = 2000
GOOD, BAD = [*dc(1), *dc(2)], [*dc(1, connect="generic_timeout_error"), *dc(2, exchange="generic_timeout_error")]


class Country:
    """Probes of one provider of a watch of its own, and references.

    Each instance begins 1,000 s after the one before, so that tests share a store and nothing else.
    """

    count = 0

    def __init__(self, store):
        Country.count += 1
        self.now = self.start = AT_MS + Country.count * 1_000_000
        self.watch = msgspec.structs.replace(TEST_WATCH, id=f"test-{Country.count}", sweep_s=60.0)
        watches = {self.watch.id: self.watch}
        self.ingest = Ingest(store, Key.create("operator"), watches, RULES, now_ms=lambda: self.now)
        self.ingest.repair()
        self.reviser = Reviser(store, watches, RULES, infer, lambda: self.ingest.complete_ms)
        self.key = AnswerKey(self.watch.id, "north-fixed", "app")
        self._probes = [Key.create("user") for _ in range(3)]

    def measure(self, *runs, surface="app"):
        """Take in (step of time, probe, steps, changes) as one batch, half a second after the last."""
        self.now = self.start + max(n for n, *_ in runs) * CADENCE_MS + 500
        made = {}
        for n, probe, steps, changes in runs:
            fields = {"vantage": {"line": f"line-{probe}"}, "at_ms": self.start + n * CADENCE_MS} | changes
            m = measurement(surface, steps, run_id=secrets.token_hex(16), watch=self.watch.id, **fields)
            made.setdefault(probe, []).append(m)
        batch = []
        for probe, measurements in made.items():
            key = self._probes[probe]
            parts = [measurements[i : i + 64] for i in range(0, len(measurements), 64)]
            batch += [IncomingSegment(key.id, segment.seal(p, key, 1, self.start).raw) for p in parts]
        return self.ingest.take(batch)

    def rows(self, as_of=None, surface="app"):
        """The rows that the inference would read."""
        return self.reviser.rows(self.key._replace(surface=surface), as_of or self.ingest.complete_ms)

    def revisions(self, store):
        """Every stored revision, oldest first."""
        found = store.read(
            "provider_revisions", watch=self.watch.id, provider="north-fixed", as_of=4_000_000_000_000,
            before_as_of=4_000_000_000_000, before_made=0, before_surface="", limit=100,
        )  # fmt: skip
        return found[::-1]


@pytest.fixture
def country(store):
    """A watch of its own, on the shared store."""
    return Country(store)


REFERENCE = {"vantage": {"role": "reference", "asn": 64999}}


def test_rows_are_what_the_inference_reads(country):
    """One row per run, with coded outcomes and the line "unknown" where it is not known, in order of time."""
    country.measure(
        (0, 0, GOOD, {}),
        (1, 0, BAD, {"vantage": {"line": ""}}),
        (2, 0, BAD, {"control_steps": control("generic_timeout_error")}),
        (3, 0, GOOD, {"control_steps": ()}),
    )
    rows = country.rows()
    assert rows.outcome.tolist() == [OK, FAIL, INCONCLUSIVE, INCONCLUSIVE]
    assert rows.control.tolist() == [OK, OK, FAIL, UNKNOWN]
    assert rows.reference.tolist() == [UNKNOWN] * 4
    assert rows.line.tolist() == ["line-0", "unknown", "line-0", "line-0"]
    assert rows.method.tolist() == ["", "tcp-timeout", "", ""]
    assert rows.share_failed.tolist() == [0, 1, 1, 0]
    assert rows.at.tolist() == [country.start + n * CADENCE_MS for n in range(4)]
    assert set(rows.received.tolist()) == {country.ingest.complete_ms}
    assert rows.outcome.dtype == rows.control.dtype == rows.reference.dtype == np.int8
    assert np.isnan(rows.speed).all()


def test_a_failure_beside_references_that_all_failed_is_the_services_own(country, store):
    """References within one and a half cadences count; if one of them works, the failure is the provider's."""
    country.measure(
        *((n, 0, BAD, {}) for n in (0, 10, 20, 30)),
        (9, 1, BAD, REFERENCE),
        (11, 1, BAD, REFERENCE),
        (19, 1, BAD, REFERENCE),
        (20, 1, GOOD, REFERENCE),
        (32, 1, BAD, REFERENCE),
    )
    assert country.rows().reference.tolist() == [UNKNOWN, FAIL, OK, UNKNOWN]
    judged = store.read("judged_verdicts", rule_set=RULES.version, **country.key._asdict(), near_ms=3000)
    assert [v["verdict"] for v in judged] == ["blocked", "down", "blocked", "blocked"]
    assert {v["verdict_alone"] for v in judged} == {"blocked"}


def test_a_sweeps_share_can_be_compared_with_a_light_runs(country):
    """Two of five datacentres fail: each counts once, however many connections tested it."""
    cut = {"exchange": "generic_timeout_error"}
    light = [s for n in range(1, 6) for s in dc(n, **(cut if n in (2, 4) else {}))]
    swept = [
        s
        for n in range(1, 6)
        for via in ("intermediate", "obfuscated")
        for port in (80, 443, 5222)
        for s in dc(n, via=via, address=f"203.0.113.{n}:{port}", **(cut if n in (2, 4) else {}))
    ]
    transports = [s for n in range(1, 5) for s in (*dc(n, **cut), *dc(n, via="obfuscated"))]
    country.measure((0, 0, light, {}), (1, 0, swept, {"sweep": True}), (2, 0, transports, {"sweep": True}))
    assert [round(s, 6) for s in country.rows().share_failed.tolist()] == [0.4, 0.4, 0.5]
    assert country.rows().outcome.tolist() == [FAIL, FAIL, FAIL]


def test_a_run_between_two_sweeps_has_their_speed(country):
    """Between a fast sweep and a slow one throttling began or ended, so a run that worked is inconclusive."""
    fast = (*agree(), *handshake(), transfer("control"), transfer(rate=400_000))
    slow = (*agree(), *handshake(), transfer("control"), transfer(rate=16_000))
    works = (*agree(), *handshake())
    steps = [fast, works, works, slow, works, slow, works, fast, works]
    country.measure(*((n, 0, s, {}) for n, s in enumerate(steps)), surface="web")
    rows = country.rows(surface="web")
    assert rows.outcome.tolist() == [OK, INCONCLUSIVE, INCONCLUSIVE, FAIL, OK, FAIL, INCONCLUSIVE, OK, OK]
    speeds = [None if np.isnan(s) else round(s, 3) for s in rows.speed.tolist()]
    assert speeds == [0.8, None, None, 0.032, 0.032, 0.032, None, 0.8, None]
    assert rows.method.tolist() == ["", "", "", "throttled", "", "throttled", "", "", ""]


def test_a_speed_holds_for_a_while_only(country):
    """A speed holds for one and a half of the watch's sweep intervals."""
    slow = (*agree(), *handshake(), transfer("control"), transfer(rate=16_000))
    works = (*agree(), *handshake())
    far = round(1.5 * country.watch.sweep_s * 1000 / CADENCE_MS)
    country.measure((0, 0, slow, {}), (far, 0, works, {}), (far + 1, 0, works, {}), surface="web")
    assert [round(s, 3) for s in country.rows(surface="web").speed.tolist()[:2]] == [0.032, 0.032]
    assert np.isnan(country.rows(surface="web").speed[2])


def test_a_reference_whose_own_control_failed_does_not_count(country):
    """The reference itself may be offline."""
    country.measure((0, 0, BAD, {}), (0, 1, BAD, REFERENCE | {"control_steps": control("generic_timeout_error")}))
    assert country.rows().reference.tolist() == [UNKNOWN]


def test_what_came_later_is_not_known_earlier(country):
    """This holds for rows and for references."""
    country.measure((0, 0, BAD, {}))
    early = country.ingest.complete_ms
    country.measure((0, 1, BAD, REFERENCE), (1, 0, BAD, {}))
    assert country.rows(early).reference.tolist() == [UNKNOWN]
    assert country.rows().reference.tolist() == [FAIL, FAIL]


def test_an_answer_is_revised_when_it_changes_and_the_old_one_stays(country, store):
    """First no block, then one; revising from the same rows appends nothing."""
    country.measure(*((n, p, GOOD, {}) for n in range(20) for p in range(3)))
    assert country.reviser.revise(country.key).state == "reachable"
    assert country.reviser.revise(country.key).state == "reachable"
    first = country.ingest.complete_ms
    country.measure(*((n, p, BAD, {}) for n in range(20, 40) for p in range(3)))
    answer = country.reviser.revise(country.key)
    assert (answer.state, answer.method) == ("blocked", "tcp-timeout")
    revisions = country.revisions(store)
    assert [r["state"] for r in revisions] == ["reachable", "blocked"]
    assert [r["as_of"] for r in revisions] == [first, country.ingest.complete_ms]
    assert abs(revisions[1]["onset"] - (country.start + 20 * CADENCE_MS)) < 2 * CADENCE_MS
    assert {r["rule_set"] for r in revisions} == {RULES.version}
    assert revisions[1]["input_digest"] == answer.input_digest


def test_providers_that_change_together_are_marked_and_the_first_is_revised(country, store):
    """Both answers get the reason; for the one stored before, a new revision is appended."""
    other = country.key._replace(provider="south-mobile")

    def block(**where):
        runs = ((n, p, {"vantage": {"line": f"{p}", **where}}) for n in range(40) for p in range(3))
        return ((n, p, GOOD if n < 20 else BAD, fields) for n, p, fields in runs)

    country.measure(*block())
    assert common_cause.REASON not in country.reviser.revise(country.key).reasons
    country.measure(*block(asn=64501, access="mobile"))
    assert common_cause.REASON in country.reviser.revise(other).reasons
    assert len(country.revisions(store)) == 2
    [last] = store.read("last_answer", **country.key._asdict(), rule_set=RULES.version)
    assert common_cause.REASON in last["answer"]
    assert country.reviser.revise(country.key).state == "blocked"
    assert len(country.revisions(store)) == 2


def test_an_answer_can_be_made_again_from_what_was_known(country):
    """Rows as of an earlier time give the same answer, whatever came later and after judging again."""
    country.measure(*((n, p, GOOD, {}) for n in range(10) for p in range(3)))
    answer = country.reviser.revise(country.key)
    known = country.ingest.complete_ms
    country.measure(*((n, p, BAD, {}) for n in range(5, 15) for p in range(3)))
    judge.rejudge(country.ingest._store, RULES)
    again = infer(country.rows(known), of_watch(country.watch))
    assert again == answer


def test_changed_counts_alone_are_appended_after_an_interval(country, store, monkeypatch):
    """If only counts changed, nothing is appended at once, and one revision after the interval."""
    country.measure(*((n, p, GOOD, {}) for n in range(20) for p in range(3)))
    country.reviser.revise(country.key)
    country.measure(*((n, p, GOOD, {}) for n in range(20, 22) for p in range(3)))
    country.reviser.revise(country.key)
    assert len(country.revisions(store)) == 1
    monkeypatch.setattr("aggregator.answers.reviser._COUNTS_INTERVAL_S", 0.0)
    later = time.time() + 3
    monkeypatch.setattr("aggregator.answers.reviser.time.time", lambda: later)
    country.reviser.revise(country.key)
    assert len(country.revisions(store)) == 2


def test_an_aggregator_that_restarts_appends_no_answer_twice(country, store):
    """It reads the last answer from the store."""
    country.measure(*((n, p, GOOD, {}) for n in range(20) for p in range(3)))
    country.reviser.revise(country.key)
    watches = {country.watch.id: country.watch}
    Reviser(store, watches, RULES, infer, lambda: country.ingest.complete_ms).revise(country.key)
    assert len(country.revisions(store)) == 1


def test_without_measurements_there_is_no_answer(country, store):
    """Without rows there is no answer."""
    assert country.reviser.revise(country.key) is None
    assert country.revisions(store) == []


def test_a_references_run_marks_every_provider(country):
    """A reference's runs concern all answers of its watch."""
    taken = country.measure((0, 0, GOOD, REFERENCE))
    country.reviser.touch(taken.touched)
    assert {p.provider for p in country.reviser._dirty} == {"north-fixed", "south-mobile"}


async def test_each_answer_is_revised_at_most_once_a_cadence(country, store, monkeypatch):
    """This holds however often its rows change. An answer whose revision fails is tried again."""
    monkeypatch.setattr("aggregator.answers.reviser._POLL_S", 0.01)
    done, failing = [], [True]

    def note(place):
        done.append(place)
        if failing and place.surface == "web":
            failing.clear()
            raise StoreError("gone")

    monkeypatch.setattr(country.reviser, "revise", note)
    monkeypatch.setattr("aggregator.answers.reviser._MIN_INTERVAL_S", 0.3)
    country.reviser._watches = {country.watch.id: msgspec.structs.replace(country.watch, cadence_s=0.3)}
    stop = asyncio.Event()
    running = asyncio.create_task(country.reviser.run(stop))
    for _ in range(20):
        country.reviser.touch({(country.watch.id, "north-fixed")})
        await asyncio.sleep(0.02)
    stop.set()
    await running
    assert 2 <= done.count(country.key) <= 3
    assert done.count(country.key._replace(surface="web")) >= 2
