"""The benchmark's page: tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infra.bench.onset.online import Online
from infra.bench.onset.score import VISIBLE, Score
from infra.bench.onset.simulate import TELLING, Fleet

HEAD = """\
# Benchmark of the onset inference

Written by `make bench-onset` (`python -m infra.bench.onset`); nothing here is typed by hand.

The rows come from a simulator of our own (`infra/bench/onset/simulate.py`). It shares no constants with the
model, but the same people wrote both, so read the numbers as an upper bound of what to expect elsewhere. The model's
constants were tuned on seeds 1 to 99. The tables below are of seeds {seeds}, which were not used for tuning, with
{providers} providers in each fleet, watched for 14 days at cadences of 5 to 60 minutes by 1 to 8 probes.

- **error, width**: in probing intervals (the provider's cadence), of the first onset.
- **coverage**: share of the 95 % intervals that hold the true onset; **late / early**: intervals that lie wholly
  after / before it.
- **false**: onsets on providers that never block, per 1,000 provider-days, `blocked` or `lifted`; **suspected**: those
  answers that say `suspected`, apart.
- **missed**: of the blocks with at least {visible} visible failures and as many successes before. `suspected` counts as
  found only where one line is all there is: one that failed visibly at least {telling} times inside the block and
  worked as often before. **By probes**: the same, but `suspected` counts as found only where the provider has one
  probe, whether or not the others could show anything. **Unseen** counts only those with no onset at all.
- **ms**: processor time per provider, median and greatest, on the machine that ran this.

"""

COLUMNS = (
    "| method | error median | error p90 | coverage | late / early | width | false | suspected | missed | by probes "
    "| unseen | ms |"
)
RULE = "|---|---|---|---|---|---|---|---|---|---|---|---|"

ONLINE = """
Online, at one false alarm per 1,000 provider-days: measurements of the provider from the onset to the alarm. The bound
is log(ARL) / KL, for a test that knew every line to be sound and the rates on both sides.

| test | median | p90 | missed | bound |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method on one fleet; `seconds` of processor time, sorted."""

    name: str
    score: Score
    seconds: Sequence[float]


@dataclass(frozen=True, slots=True)
class FleetTable:
    """One fleet."""

    fleet: Fleet
    lines: Sequence[MethodRow]
    online: dict[str, Online]


def _row(line: MethodRow) -> str:
    s = line.score
    intervals = (
        f"{s.coverage:.3f} | {s.above:.3f} / {s.below:.3f} | {s.width:.2f}" if s.width == s.width else "- | - | -"
    )
    ms = [1000 * line.seconds[len(line.seconds) // 2], 1000 * line.seconds[-1]]
    return (
        f"| {line.name} | {s.median:.2f} | {s.p90:.2f} | {intervals} | {s.false:.2f} | {s.false_suspected:.2f} | "
        f"{s.missed:.1%} | {s.missed_probes:.1%} | {1 - s.found / max(s.detectable, 1):.1%} | "
        f"{ms[0]:.0f}, {ms[1]:.0f} |"
    )


def _settings(fleet: Fleet) -> str:
    return (
        f"Bad probes {fleet.bad:.0%}, skewed clocks {fleet.skewed:.0%}, switching probes {fleet.switching:.1%}, "
        f"{fleet.global_outages} global outages, {fleet.hidden_outages:g} hidden outages a provider, "
        f"DNS lag of {fleet.lag / 60:.0f} min on {fleet.lagged:.0%} of the providers that block."
    )


def text(tables: Sequence[FleetTable], seeds: Sequence[int], providers: int) -> str:
    """The whole page."""
    parts = [HEAD.format(seeds=", ".join(map(str, seeds)), providers=providers, visible=VISIBLE, telling=TELLING)]
    for table in tables:
        found = table.lines[0].score.detectable
        parts.append(f"## {table.fleet.name}\n\n{_settings(table.fleet)} Detectable blocks: {found}.\n\n")
        parts.append("\n".join([COLUMNS, RULE, *(_row(line) for line in table.lines)]) + "\n")
        if table.online:
            parts.append(ONLINE)
            parts += [
                f"| {name} | {o.median:.0f} | {o.p90:.0f} | {o.missed:.1%} | {o.bound:.1f} |\n"
                for name, o in table.online.items()
            ]
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"
