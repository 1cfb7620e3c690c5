"""The matrix: each way of interfering, and each merely bad network, against what the rules make of the probe's runs.

`python -m infra.bench.matrix --ways 50 --bad 1000` makes a test bed of network namespaces (as root), measures
with the shipped probe, judges with the shipped rules in a real store, and writes docs/methods-matrix.md. The portable
lab is measured too, and where there is no root it alone.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime as dt
import math
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from infra.bench.matrix import portable
from infra.bench.matrix.addresses import RESOLVER, watch_text
from infra.bench.matrix.court import Court, Run, Said
from infra.bench.matrix.namespaces import Bed, missing
from probe.base.errors import UserError
from probe.protocol import watch as watches
from probe.protocol.measurement import Measurement

_SIX = {
    "ip daddr": "ip6 daddr",
    "icmp type host-unreachable": "icmpv6 type addr-unreachable",
    "icmp type admin-prohibited": "icmpv6 type admin-prohibited",
    "198.51.100.": "2001:db8:2::",
}
CASES = Path(__file__).with_name("cases.toml")
_MOST_ALONE = 10
"""Runs of a case that can't have several at a time, at most: each takes ten seconds and more."""
_PORTABLE = """## The portable lab

The same probe and the same rules in the lab's country on loopback, which needs no root: `make bench-probe` runs it
everywhere. Providers are named for what they do (infra/lab/methods.toml). Below a socket nothing can be done there: no
packet is lost, forged or limited, there is no IPv6, no ICMP and no second interface.
"""
PAGE = Path(__file__).parents[3] / "docs" / "methods-matrix.md"


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


class Result(NamedTuple):
    """What was said of a case's runs: by surface, how often each verdict and method."""

    case: Case
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


def cases() -> tuple[Case, ...]:
    """The rows of cases.toml."""
    table = tomllib.loads(CASES.read_text(encoding="utf-8"))
    return msgspec.convert(table["case"], tuple[Case, ...])


def run(bed: Bed, court: Court, case: Case, count: int, at_once: int) -> Result:
    """Make a case's runs and judge them. Raises UserError."""
    started = time.monotonic()
    raw = watch_text(case.id, case.timeout_s)
    watch, file = watches.read(raw, "the bench's watch"), bed.data / "watch.toml"
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


def _result(case: Case, runs: Sequence[Run], judged: Iterable[Said], seconds: float) -> Result:
    said: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    by_rule: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for s in judged:
        said[s.surface][_words(s)] += 1
        by_rule[s.surface][s.rule] += 1
    return Result(case, len(runs), said, by_rule, seconds)


def portable_runs(court: Court, folder: Path, count: int, only: Collection[str] = ()) -> list[Result]:
    """The runs in the portable lab, judged. Raises UserError."""
    started = time.monotonic()
    watch, runs = portable.measure(folder, count, only)
    took = time.monotonic() - started
    results = []
    for provider, made in runs.items():
        web, app = portable.must_be(provider)
        case = Case(id=f"portable-{provider}", what=provider, web=web, app=app)
        results.append(_result(case, made, court.judge(watch, made, provider=provider), took))
    return results


def table(results: list[Result], in_lab: list[Result], rule_set: str) -> str:
    """The page."""
    ways, bad = ([r for r in results if r.case.kind == kind] for kind in ("way", "bad"))
    lines = [
        "# The methods' matrix",
        "",
        "Each way of interfering, and each network that is merely bad, against what the rules make of a probe's runs.",
        "The shipped probe runs on a line in a network namespace, the router is nftables, the service has its own",
        "addresses in a third namespace, and the shipped rules judge the runs in a real store.",
        "",
        f"Made by `make bench-probe` on {dt.datetime.now(dt.UTC).date()} under rule set {rule_set}.",
        "",
    ]
    if not results:
        lines += [f"The namespaces were left out: {missing() or 'only the portable lab was asked for'}.", ""]
    if ways:
        lines += ["## Ways of interfering", "", *_ways(ways)]
    if bad:
        lines += ["## Networks that are merely bad", "", "| what was wrong | called blocked | web | app |",
                  "|---|---|---|---|"]  # fmt: skip
        for r in bad:
            surfaces = [", ".join(f"{w} x {n}" for w, n in r.said[s].most_common()) for s in ("web", "app")]
            lines.append(f"| {r.case.what} | {r.blocked} of {r.runs} | {surfaces[0]} | {surfaces[1]} |")
        runs, wrong = sum(r.runs for r in bad), sum(r.blocked for r in bad)
        lines += ["", f"Called blocked: {wrong} of {runs} runs{_at_most(wrong, runs)}.", ""]
    if in_lab:
        lines += [_PORTABLE, *_ways(in_lab)]
    return "\n".join(lines)


def _ways(results: list[Result]) -> list[str]:
    lines = ["| what was done | must be: web, app | right | said otherwise |", "|---|---|---|---|"]
    for r in results:
        other = [f"{s}: {w} x {n}" for s, c in r.said.items() for w, n in c.items() if w != getattr(r.case, s)]
        lines.append(f"| {r.case.what} | {r.case.web}, {r.case.app} | {_share(r)} | {'; '.join(other)} |")
    return [*lines, "", _total(results), ""]


def _share(r: Result) -> str:
    return f"{r.right} of {r.runs} ({100 * r.right / r.runs:.1f} %)"


def _total(ways: list[Result]) -> str:
    right, runs = sum(r.right for r in ways), sum(r.runs for r in ways)
    least = min(ways, key=lambda r: r.right / r.runs)
    return (
        f"In all {right} of {runs} runs right ({100 * right / runs:.2f} %); least: {least.case.what}, {_share(least)}."
    )


def _at_most(wrong: int, runs: int) -> str:
    """The upper end of a one-sided 95 % interval when nothing was seen: the rule of three, exactly."""
    return "" if wrong else f": below {100 * (1 - math.exp(math.log(0.05) / runs)):.3f} % with 95 % confidence"


def _six(forward: str) -> str:
    """A rule for IPv4 as one for IPv6."""
    for four, six in _SIX.items():
        forward = forward.replace(four, six)
    return forward


def _words(said: Said) -> str:
    return f"{said.verdict} {said.method}".strip()


def _read(lines: list[bytes]) -> list[tuple[Measurement, ...]]:
    return [msgspec.json.decode(line, type=tuple[Measurement, ...]) for line in lines]


def _tell(r: Result) -> None:
    said = {s: dict(c) for s, c in r.rules.items()}
    print(f"{r.case.id}: {r.right} of {r.runs} right, {r.seconds:.0f} s: {said}", file=sys.stderr)  # noqa: T201


def main() -> None:
    """Read the command line, run the cases, write the page. Ends with 1 where a bad network was called blocked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", type=int, default=50, help="runs for each way of interfering")
    parser.add_argument("--bad", type=int, default=200, help="runs for each bad network")
    parser.add_argument("--at-once", type=int, default=120, help="runs under way; most of them wait")
    parser.add_argument("--only", nargs="*", default=[], help="ids of cases; the page is then printed and not written")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # and the namespaces with it
    chosen = [c for c in cases() if not given.only or c.id in given.only]
    if missing():
        print(f"no network namespaces, so the portable lab alone: {missing()}", file=sys.stderr)  # noqa: T201
        chosen = []
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="blockonset-bench-") as folder:
        court = Court(Path(folder) / "store")
        try:
            (Path(folder) / "bed").mkdir()
            (Path(folder) / "lab").mkdir()
            in_lab = [] if given.only else portable_runs(court, Path(folder) / "lab", given.ways)
            for r in in_lab:
                _tell(r)
            with Bed(Path(folder) / "bed") if chosen else contextlib.nullcontext() as bed:
                for case in chosen:
                    count = given.ways if case.kind == "way" else given.bad
                    count = min(count, _MOST_ALONE) if case.alone else count
                    assert bed is not None
                    results.append(run(bed, court, case, count, given.at_once))
                    _tell(results[-1])
                    if not given.only:  # after every case: what was measured is kept, however it ends
                        PAGE.write_text(table(results, in_lab, court.rule_set.version), encoding="utf-8")
            if not given.only:
                PAGE.write_text(table(results, in_lab, court.rule_set.version), encoding="utf-8")
        finally:
            court.close()
    if given.only:
        print(table(results, [], court.rule_set.version))  # noqa: T201 - asked for
    sys.exit(any(r.blocked for r in results if r.case.kind == "bad"))


if __name__ == "__main__":
    try:
        main()
    except UserError as e:
        sys.exit(str(e))
