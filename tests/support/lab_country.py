"""An invented country in a real store, with verdicts and answers of every kind, for tests of the API and dashboard."""

from __future__ import annotations

import hashlib
import time

import msgspec

from aggregator.api.shapes import Health
from aggregator.inference.answer.answer import Answer, Episode, Interval
from probe.base import times
from probe.protocol.watch import Watch
from probe.protocol.watch_file import read

ZERO_MS = 1_777_629_600_000
"""2026-05-01T10:00:00Z."""
ORDER_S, DEADLINE_S, CADENCE_S, END_S = 10, 75, 2.0, 150
RULES, MODEL = "2026-11", "onset-1"

KINDS = {
    "brindlewick-fixed": ("fixed", 3, 24.4, None, "blocked", "dns-nxdomain"),
    "caskenway-fixed": ("fixed", 2, 31.8, None, "blocked", "tcp-reset"),
    "dunmarrow-mobile": ("mobile", 4, 40.2, None, "blocked", "tls-reset-after-sni"),
    "elverstone-fixed": ("fixed", 3, 52.9, None, "blocked", "dns-bogus"),
    "fennimore-mobile": ("mobile", 2, 60.1, 110.5, "lifted", "tcp-timeout"),
    "gallowmere-fixed": ("fixed", 2, 74.6, None, "blocked", "tls-mitm"),
    "hobsquay-mobile": ("mobile", 3, 93.7, None, "blocked", "http-blockpage"),
    "inchbarrow-fixed": ("fixed", 1, 66.0, None, "suspected", "mtproto-dropped"),
    "jessamy-mobile": ("mobile", 2, -30.0, None, "blocked_since_before_start", "tls-timeout"),
    "kittering-fixed": ("fixed", 3, None, None, "reachable", ""),
    "larkwater-mobile": ("mobile", 1, None, None, "insufficient", ""),
    "mossend-fixed": ("fixed", 0, None, None, None, ""),
}
"""By provider: access, lines, seconds from ZERO to onset and lift, the answer's state, the method."""

_HEAD = """
format = 1
id = "ostramere"
title = "Papergull in Ostramere"
service = "papergull"
country = "XO"
timezone = "{zone}"
expires = "2030-01-01"
cadence_s = 2.0
timeout_s = 1.0
fictional = true
[surfaces.web]
host = "web.papergull.example"
[surfaces.app]
endpoints = [{{ id = "dc1", address = "198.51.100.11", ports = [443] }}]
[control]
host = "lighthouse.example"
[second_resolver]
address = "203.0.113.53"
[directive]
authority = "Signals Office of Ostramere (fictional)"
summary = "Providers shall prevent the use of Papergull."
"""


def watch(zero_ms: int = ZERO_MS, zone: str = "Etc/GMT-4", dates: str | None = None) -> Watch:
    """The country's watch, with order and deadline to the second unless `dates` gives other TOML for them."""
    if dates is None:
        dates = "".join(_date(k, zero_ms + s * 1000) for k, s in (("issued", ORDER_S), ("block_by", DEADLINE_S)))
    providers = "".join(
        f'[[providers]]\nid = "{p}"\nname = "{p.split("-")[0].title()}"\naccess = "{kind[0]}"\n'
        f"networks = [{{ asn = {64600 + i} }}]\n"
        for i, (p, kind) in enumerate(KINDS.items())
    )
    return read((_HEAD.format(zone=zone) + dates + providers).encode(), "country")


def answer(provider: str, zero_ms: int = ZERO_MS, **changes) -> Answer:
    """One provider's answer on the surface `app`, with the state in KINDS."""
    _, lines, onset, lift, state, method = KINDS[provider]
    given = Answer(
        watch="ostramere",
        provider=provider,
        surface="app",
        state=state or "insufficient",
        pattern="full" if onset is not None else "none",
        p_block=0.74 if state == "suspected" else (0.998 if onset is not None else 0.01),
        onset=None if onset is None else interval(zero_ms, onset, censored=onset < 0),
        lift=None if lift is None else interval(zero_ms, lift),
        episodes=(),
        last_ok=None if onset is None or onset < 0 else times.text(zero_ms + round(onset * 1000) - 900),
        first_fail=None if onset is None else times.text(zero_ms + round(max(onset, 1) * 1000) + 800),
        share_affected=None if onset is None else 1.0,
        method=method,
        measurements=75 * lines,
        used=74 * lines,
        probes=lines,
        lines=lines,
        model=MODEL,
        input_digest=hashlib.blake2b(provider.encode(), digest_size=16).hexdigest(),
        reasons=("controls_not_run",) if state == "insufficient" else (),
    )
    if given.onset:
        given = msgspec.structs.replace(given, episodes=(Episode(onset=given.onset, lift=given.lift),))
    return msgspec.structs.replace(given, **changes)


def interval(zero_ms: int, at_s: float, *, censored: bool = False) -> Interval:
    """An interval of 2.6 s around a time; a censored one has only its end."""
    if censored:
        return Interval(estimate=None, earliest=None, latest=times.text(zero_ms + 1200), level=0.95)
    at = zero_ms + round(at_s * 1000)
    return Interval(estimate=times.text(at), earliest=times.text(at - 1100), latest=times.text(at + 1500), level=0.95)


def health(**changes) -> Health:
    """The health of an aggregator that works and has just received something."""
    now = round(time.time() * 1000)
    given = Health(ok=True, nats="connected", known_until_ms=now, rule_set=RULES, watches=("ostramere",))
    return msgspec.structs.replace(given, **changes)


def fill(store, zero_ms: int = ZERO_MS) -> None:
    """Insert the runs of all probes and of a reference, and two revisions of each answer: an early one and the last."""
    columns = {n: [] for n in _VERDICT}
    for provider, (_, lines, *_rest) in KINDS.items():
        for line in range(lines):
            _runs(columns, provider, f"line-{line}", zero_ms)
    _runs(columns, "", "", zero_ms, reference=True)
    store.insert("verdicts", columns)
    revisions = {n: [] for n in _ONSET}
    for provider, (*_rest, state, _) in KINDS.items():
        if state is None:
            continue
        early = answer(
            provider, zero_ms, state="insufficient", p_block=0.02, onset=None, lift=None, episodes=(), last_ok=None,
            first_fail=None,
        )  # fmt: skip
        for as_of, given in ((zero_ms + 5_000, early), (zero_ms + END_S * 1000, answer(provider, zero_ms))):
            _revision(revisions, given, as_of)
    store.insert("onsets", revisions)


_VERDICT = (
    "rule_set", "watch", "provider", "surface", "role", "probe", "line", "at", "received", "run_id", "segment_id",
    "verdict", "rule", "method", "failure", "share_failed", "control", "evidence",
)  # fmt: skip
_ONSET = (
    "watch", "provider", "surface", "as_of", "made", "rule_set", "model", "input_digest", "state", "p_block", "onset",
    "answer",
)  # fmt: skip


def probe_id(provider: str, line: str) -> str:
    """A probe's id, always the same for a provider and line."""
    return "U" + hashlib.sha256(f"{provider}/{line}".encode()).hexdigest().upper()[:55]


def _runs(columns, provider, line, zero_ms, *, reference=False):
    _, _, onset, lift, _, method = KINDS.get(provider, ("", 0, None, None, "", ""))
    offset = int(hashlib.sha256(f"{provider}{line}".encode()).hexdigest()[:3], 16) % 1900
    for n in range(int(END_S / CADENCE_S)):
        at_s = n * CADENCE_S + offset / 1000
        failed = onset is not None and at_s >= onset and (lift is None or at_s < lift)
        outage = provider == "kittering-fixed" and 118 <= at_s < 126
        verdict = "inconclusive" if outage else ("blocked" if failed else "ok")
        rule = "control-failed" if outage else (method if failed else "app-works")
        row = (
            RULES, "ostramere", provider, "app", "reference" if reference else "probe", probe_id(provider, line), line,
            zero_ms + round(at_s * 1000), zero_ms + round(at_s * 1000) + 700,
            hashlib.blake2b(f"{provider}{line}{n}".encode(), digest_size=16).hexdigest(), "0" * 32,
            verdict, rule, method if failed else "",
            "generic_timeout_error" if failed else "", 1.0 if failed else 0.0, "fail" if outage else "ok",
            _EVIDENCE[rule],
        )  # fmt: skip
        for name, value in zip(_VERDICT, row, strict=True):
            columns[name].append(value)


_EVIDENCE = {
    "app-works": "0 of 5 endpoints failed",
    "control-failed": "control: connect generic_timeout_error",
    "dns-nxdomain": "system resolver: NXDOMAIN; second path: 198.51.100.11",
    "tcp-reset": "reset at 198.51.100.11",
    "tls-reset-after-sni": "reset at 198.51.100.11, where the contrast name got through",
    "dns-bogus": "system resolver: 10.0.0.1; should be 198.51.100.11; reserved: 10.0.0.1",
    "tcp-timeout": "no answer from 198.51.100.11",
    "tls-mitm": "ssl_unknown_authority at 198.51.100.11",
    "http-blockpage": "fingerprint signals-office",
    "mtproto-dropped": "5 of 5 endpoints failed; 5 after connecting",
    "tls-timeout": "no answer in the handshake at 198.51.100.11",
}
"""The evidence of each rule."""


def _revision(columns, given: Answer, as_of: int) -> None:
    onset = given.onset.estimate if given.onset else None
    row = (
        given.watch, given.provider, given.surface, as_of, as_of + 300, RULES, given.model, given.input_digest,
        given.state, given.p_block, times.milliseconds(times.moment(onset)) if onset else None,
        msgspec.json.encode(given).decode(),
    )  # fmt: skip
    for name, value in zip(_ONSET, row, strict=True):
        columns[name].append(value)


def _date(kind: str, ms: int) -> str:
    value = times.text(ms)[:19]
    return (
        f'[[directive.dates]]\nkind = "{kind}"\nvalue = "{value}"\nprecision = "second"\n'
        'timezone = "UTC"\nbound = "exclusive"\nwording = "at once"\n'
    )


def text(seconds: float) -> str:
    """The time `seconds` after ZERO, as the API writes it."""
    return times.text(ZERO_MS + round(seconds * 1000))
