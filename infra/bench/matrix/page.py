"""The page docs/methods-matrix.md."""

from __future__ import annotations

import datetime as dt
import math

from infra.bench.matrix.cases import CaseResult
from infra.bench.matrix.namespaces import missing

_PORTABLE = """## The portable lab

The same probe and the same rules in the lab's country on loopback, which needs no root: `make bench-probe` runs it
everywhere. Providers are named for what they do (infra/lab/methods.toml). Below a socket nothing can be done there: no
packet is lost, forged or limited, there is no IPv6, no ICMP and no second interface.
"""


def table(results: list[CaseResult], in_lab: list[CaseResult], rule_set: str) -> str:
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


def _ways(results: list[CaseResult]) -> list[str]:
    lines = ["| what was done | must be: web, app | right | said otherwise |", "|---|---|---|---|"]
    for r in results:
        other = [f"{s}: {w} x {n}" for s, c in r.said.items() for w, n in c.items() if w != getattr(r.case, s)]
        lines.append(f"| {r.case.what} | {r.case.web}, {r.case.app} | {_share(r)} | {'; '.join(other)} |")
    return [*lines, "", _total(results), ""]


def _share(r: CaseResult) -> str:
    return f"{r.right} of {r.runs} ({100 * r.right / r.runs:.1f} %)"


def _total(ways: list[CaseResult]) -> str:
    right, runs = sum(r.right for r in ways), sum(r.runs for r in ways)
    least = min(ways, key=lambda r: r.right / r.runs)
    return (
        f"In all {right} of {runs} runs right ({100 * right / runs:.2f} %); least: {least.case.what}, {_share(least)}."
    )


def _at_most(wrong: int, runs: int) -> str:
    """The upper end of a one-sided 95 % interval when nothing was seen: the rule of three, exactly."""
    return "" if wrong else f": below {100 * (1 - math.exp(math.log(0.05) / runs)):.3f} % with 95 % confidence"
