"""The cases of the matrix: what is done to a network, and the runs made in it, judged."""

from __future__ import annotations

import collections
import contextlib
import time
import tomllib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from infra.bench.matrix import portable
from infra.bench.matrix.addresses import RESOLVER, watch_text
from infra.bench.matrix.judge import Judge, Run, RunVerdict
from infra.bench.matrix.namespaces import NamespaceBed
from probe.protocol import watch_file
from probe.protocol.measurement import Measurement

_SIX = {
    "ip daddr": "ip6 daddr",
    "icmp type host-unreachable": "icmpv6 type addr-unreachable",
    "icmp type admin-prohibited": "icmpv6 type admin-prohibited",
    "198.51.100.": "2001:db8:2::",
}
CASES = Path(__file__).with_name("cases.toml")


class MatrixCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of cases.toml."""

    id: str
    what: str
    kind: Literal["way", "bad"] = "way"
    forward: str = ""
    forward6: str | None = None
    """The same for IPv6; None is `forward` with IPv6's own words."""
    nat: str = ""
    mode: dict[str, Any] = {}
    resolver: str = RESOLVER
    injector: bool = False
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    timeout_s: float = 10.0
    sweep: bool = False
    alone: bool = False
    references: bool = False
    web: str = ""
    app: str = ""


class CaseResult(NamedTuple):
    """What was said of a case's runs: by surface, how often each verdict and method."""

    case: MatrixCase
    runs: int
    said: dict[str, collections.Counter[str]]
    rules: dict[str, collections.Counter[str]]
    seconds: float

    @property
    def right(self) -> int:
        """How many runs got what they must, on both surfaces or, in a bad network, were not called blocked."""
        if self.case.kind == "bad":
            return self.runs - self.blocked
        return min(self.said[s][getattr(self.case, s)] for s in ("web", "app"))

    @property
    def blocked(self) -> int:
        """How many runs were called blocked, counted on the surface where it was more."""
        return max(sum(n for word, n in c.items() if word.startswith("blocked")) for c in self.said.values())


def cases() -> tuple[MatrixCase, ...]:
    """The rows of cases.toml."""
    table = tomllib.loads(CASES.read_text(encoding="utf-8"))
    return msgspec.convert(table["case"], tuple[MatrixCase, ...])


def run(bed: NamespaceBed, court: Judge, case: MatrixCase, count: int, at_once: int) -> CaseResult:
    """Make a case's runs and judge them. Raises UserError."""
    started = time.monotonic()
    raw = watch_text(case.id, case.timeout_s)
    watch, file = watch_file.read(raw, "the bench's watch"), bed.data / "watch.toml"
    file.write_bytes(raw)
    bed.mode(**case.mode)
    bed.resolver(case.resolver)
    bed.rules(case.forward, case.nat, _six(case.forward) if case.forward6 is None else case.forward6)
    for command in case.before:
        bed.shell("line", command)
    try:
        with bed.injector() if case.injector else contextlib.nullcontext():
            references = _read(bed.measure(3, 3, file, "reference")) if case.references else []
            runs = _read(bed.measure(count, 1 if case.alone else at_once, file, sweep=case.sweep))
    finally:
        for command in case.after:
            bed.shell("line", command)
        bed.rules()
    said = court.judge(watch, runs, references)
    return _result(case, runs, said, time.monotonic() - started)


def _result(case: MatrixCase, runs: Sequence[Run], judged: Iterable[RunVerdict], seconds: float) -> CaseResult:
    said: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    by_rule: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for s in judged:
        said[s.surface][_words(s)] += 1
        by_rule[s.surface][s.rule] += 1
    return CaseResult(case, len(runs), said, by_rule, seconds)


def portable_runs(court: Judge, folder: Path, count: int, only: Collection[str] = ()) -> list[CaseResult]:
    """The runs in the portable lab, judged. Raises UserError."""
    started = time.monotonic()
    watch, runs = portable.measure(folder, count, only)
    took = time.monotonic() - started
    results = []
    for provider, made in runs.items():
        web, app = portable.must_be(provider)
        case = MatrixCase(id=f"portable-{provider}", what=provider, web=web, app=app)
        results.append(_result(case, made, court.judge(watch, made, provider=provider), took))
    return results


def _six(forward: str) -> str:
    """A rule for IPv4 as one for IPv6."""
    for four, six in _SIX.items():
        forward = forward.replace(four, six)
    return forward


def _words(said: RunVerdict) -> str:
    return f"{said.verdict} {said.method}".strip()


def _read(lines: list[bytes]) -> list[tuple[Measurement, ...]]:
    return [msgspec.json.decode(line, type=tuple[Measurement, ...]) for line in lines]
