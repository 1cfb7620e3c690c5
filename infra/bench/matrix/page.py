"""Writes the page docs/methods-matrix.md."""

from __future__ import annotations

import datetime as dt
import math

from infra.bench.matrix.cases import CaseResult
from infra.bench.matrix.namespaces import missing

_PORTABLE = """## The portable lab

The same probe and the same rules in the lab's country on loopback, which needs no root: `make bench-probe` runs it on
every system. Providers are named after what they do (infra/lab/methods.toml). The lab works above sockets: no packet is
lost, forged or limited, and there is no IPv6, no ICMP and no second interface.
"""


def table(results: list[CaseResult], lab_results: list[CaseResult], rule_set: str) -> str:
    """The page as Markdown."""
    interference, bad = ([r for r in results if r.case.kind == kind] for kind in ("interference", "bad"))
    lines = [
        "# Matrix of methods",
        "",
        "How the rules judge a probe's runs under each kind of interference, and in bad networks without interference.",
        "The shipped probe runs on a line in a network namespace, the router is nftables, the service has its own",
        "addresses in a third namespace, and the shipped rules judge the runs in a real store.",
        "",
        f"Made by `make bench-probe` on {dt.datetime.now(dt.UTC).date()} under rule set {rule_set}.",
        "",
    ]
    if not results:
        lines += [f"The namespaces were left out: {missing() or 'only the portable lab was requested'}.", ""]
    if interference:
        lines += ["## Interference", "", *_rows(interference)]
    if bad:
        lines += ["## Bad networks without interference", "", "| fault | called blocked | web | app |",
                  "|---|---|---|---|"]  # fmt: skip
        for r in bad:
            surfaces = [", ".join(f"{v} x {n}" for v, n in r.verdicts[s].most_common()) for s in ("web", "app")]
            lines.append(f"| {r.case.what} | {r.blocked} of {r.runs} | {surfaces[0]} | {surfaces[1]} |")
        runs, wrong = sum(r.runs for r in bad), sum(r.blocked for r in bad)
        lines += ["", f"Called blocked: {wrong} of {runs} runs{_at_most(wrong, runs)}.", ""]
    if lab_results:
        lines += [_PORTABLE, *_rows(lab_results)]
    return "\n".join(lines)


def _rows(results: list[CaseResult]) -> list[str]:
    lines = ["| what was done | expected: web, app | right | other verdicts |", "|---|---|---|---|"]
    for r in results:
        other = [f"{s}: {v} x {n}" for s, c in r.verdicts.items() for v, n in c.items() if v != getattr(r.case, s)]
        lines.append(f"| {r.case.what} | {r.case.web}, {r.case.app} | {_share(r)} | {'; '.join(other)} |")
    return [*lines, "", _total(results), ""]


def _share(r: CaseResult) -> str:
    return f"{r.right} of {r.runs} ({100 * r.right / r.runs:.1f} %)"


def _total(results: list[CaseResult]) -> str:
    right, runs = sum(r.right for r in results), sum(r.runs for r in results)
    least = min(results, key=lambda r: r.right / r.runs)
    total = f"In total {right} of {runs} runs right ({100 * right / runs:.2f} %)"
    return f"{total}; lowest: {least.case.what}, {_share(least)}."


def _at_most(wrong: int, runs: int) -> str:
    """The upper end of a one-sided 95 % interval for 0 of `runs` (exact; the rule of three approximates it)."""
    return "" if wrong else f": below {100 * (1 - math.exp(math.log(0.05) / runs)):.3f} % with 95 % confidence"
