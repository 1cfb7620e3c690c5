"""The cases of the matrix: what is done to the network, the runs in it, and how they are judged."""

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

_IPV6_TERMS = {
    "ip daddr": "ip6 daddr",
    "icmp type host-unreachable": "icmpv6 type addr-unreachable",
    "icmp type admin-prohibited": "icmpv6 type admin-prohibited",
    "198.51.100.": "2001:db8:2::",
}
CASES = Path(__file__).with_name("cases.toml")


class MatrixCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One case of cases.toml, which explains the keys."""

    id: str
    what: str
    kind: Literal["interference", "bad"] = "interference"
    forward: str = ""
    forward6: str | None = None
    """The same for IPv6; None means `forward` translated to IPv6."""
    nat: str = ""
    mode: dict[str, Any] = {}
    resolver: str = RESOLVER
    injector: bool = False
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    timeout_s: float = 10.0
    sweep: bool = False
    sequential: bool = False
    references: bool = False
    web: str = ""
    app: str = ""


class CaseResult(NamedTuple):
    """How a case's runs were judged."""

    case: MatrixCase
    runs: int
    verdicts: dict[str, collections.Counter[str]]
    """By surface, the number of runs with each verdict and method ("blocked tcp-reset")."""
    rules: dict[str, collections.Counter[str]]
    """By surface, the number of runs that each rule decided."""
    seconds: float

    @property
    def right(self) -> int:
        """Number of right runs: those with the expected verdict; in a bad network, those not called blocked.

        Counted on the surface with fewer of them.
        """
        if self.case.kind == "bad":
            return self.runs - self.blocked
        return min(self.verdicts[s][getattr(self.case, s)] for s in ("web", "app"))

    @property
    def blocked(self) -> int:
        """Number of runs that were called blocked, counted on the surface with more of them."""
        return max(sum(n for verdict, n in c.items() if verdict.startswith("blocked")) for c in self.verdicts.values())


def cases() -> tuple[MatrixCase, ...]:
    """The cases of cases.toml."""
    table = tomllib.loads(CASES.read_text(encoding="utf-8"))
    return msgspec.convert(table["case"], tuple[MatrixCase, ...])


def run(bed: NamespaceBed, judge: Judge, case: MatrixCase, count: int, at_once: int) -> CaseResult:
    """Make `count` runs of a case, at most `at_once` at a time, and judge them. Raises UserError."""
    started = time.monotonic()
    raw = watch_text(case.id, case.timeout_s)
    watch, file = watch_file.read(raw, "the bench's watch"), bed.data / "watch.toml"
    file.write_bytes(raw)
    bed.set_mode(**case.mode)
    bed.set_resolver(case.resolver)
    bed.set_rules(case.forward, case.nat, _to_ipv6(case.forward) if case.forward6 is None else case.forward6)
    for command in case.before:
        bed.shell("near_side", command)
    try:
        with bed.injector() if case.injector else contextlib.nullcontext():
            references = _read(bed.measure(3, 3, file, "reference")) if case.references else []
            runs = _read(bed.measure(count, 1 if case.sequential else at_once, file, sweep=case.sweep))
    finally:
        for command in case.after:
            bed.shell("near_side", command)
        bed.set_rules()
    return _result(case, runs, judge.judge(watch, runs, references), time.monotonic() - started)


def _result(case: MatrixCase, runs: Sequence[Run], judged: Iterable[RunVerdict], seconds: float) -> CaseResult:
    verdicts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    rules: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for verdict in judged:
        verdicts[verdict.surface][f"{verdict.verdict} {verdict.method}".strip()] += 1
        rules[verdict.surface][verdict.rule] += 1
    return CaseResult(case, len(runs), verdicts, rules, seconds)


def portable_runs(judge: Judge, folder: Path, count: int, only: Collection[str] = ()) -> list[CaseResult]:
    """Make `count` runs on each line of the portable lab, or of those named by `only`, and judge them.

    Raises UserError.
    """
    started = time.monotonic()
    watch, runs = portable.measure(folder, count, only)
    seconds = time.monotonic() - started
    results = []
    for provider, of_provider in runs.items():
        web, app = portable.expected(provider)
        case = MatrixCase(id=f"portable-{provider}", what=provider, web=web, app=app)
        results.append(_result(case, of_provider, judge.judge(watch, of_provider, provider=provider), seconds))
    return results


def _to_ipv6(forward: str) -> str:
    """An nft rule for IPv4, translated to IPv6."""
    for ipv4, ipv6 in _IPV6_TERMS.items():
        forward = forward.replace(ipv4, ipv6)
    return forward


def _read(lines: list[bytes]) -> list[tuple[Measurement, ...]]:
    return [msgspec.json.decode(line, type=tuple[Measurement, ...]) for line in lines]
