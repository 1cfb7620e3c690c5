"""The benchmark's page, docs/benchmark-onset.md: tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from infra.bench.onset.accuracy import VISIBLE, Accuracy
from infra.bench.onset.alarms import AlarmDelays
from infra.bench.onset.simulate import LEAST_SHOWN, Fleet

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
- **false**: onsets on providers that never block, per 1,000 provider-days, in answers with a state other than
  `suspected`; **suspected**: the same in answers with the state `suspected`.
- **missed**: share of the detectable blocks, those with at least {visible} visible failures and as many successes
  before. `suspected` counts as found only where at most one line could show the block by itself, with at least
  {least_shown} visible failures inside the block and as many successes before. **By probes**: the same, but
  `suspected` counts as found only where the provider has one probe. **Unseen**: share of the detectable blocks without
  any onset.
- **ms**: processor time per provider, median and greatest, on the machine that ran this.

"""

METHOD_COLUMNS = (
    "| method | error median | error p90 | coverage | late / early | width | false | suspected | missed | by probes "
    "| unseen | ms |"
)
RULE = "|---|---|---|---|---|---|---|---|---|---|---|---|"

DELAY_HEAD = """
Online, at one false alarm per 1,000 provider-days: measurements of the provider from the onset to the alarm. The bound
is log(ARL) / KL, for a test that knew every line to be sound and the rates on both sides.

| test | median | p90 | missed | bound |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method on one fleet."""

    name: str
    accuracy: Accuracy
    seconds: Sequence[float]
    """Processor time for each provider, sorted."""


@dataclass(frozen=True, slots=True)
class FleetTable:
    """The results on one fleet."""

    fleet: Fleet
    methods: Sequence[MethodRow]
    delays: dict[str, AlarmDelays]
    """By the sequential test's name."""


def _row(method: MethodRow) -> str:
    a = method.accuracy
    intervals = "- | - | -"
    if not math.isnan(a.width):
        intervals = f"{a.coverage:.3f} | {a.above:.3f} / {a.below:.3f} | {a.width:.2f}"
    median_ms, greatest_ms = 1000 * method.seconds[len(method.seconds) // 2], 1000 * method.seconds[-1]
    return (
        f"| {method.name} | {a.error_median:.2f} | {a.error_p90:.2f} | {intervals} | {a.false_onsets:.2f} | "
        f"{a.false_suspected:.2f} | {a.missed:.1%} | {a.missed_probes:.1%} | "
        f"{1 - a.found / max(a.detectable, 1):.1%} | {median_ms:.0f}, {greatest_ms:.0f} |"
    )


def _settings(fleet: Fleet) -> str:
    return (
        f"Bad probes {fleet.bad:.0%}, skewed clocks {fleet.skewed:.0%}, switching probes {fleet.switching:.1%}, "
        f"{fleet.global_outages} global outages, {fleet.hidden_outages:g} hidden outages a provider, "
        f"DNS lag of {fleet.lag / 60:.0f} min on {fleet.lagged:.0%} of the providers that block."
    )


def page(tables: Sequence[FleetTable], seeds: Sequence[int], providers: int) -> str:
    """The whole page, as Markdown."""
    parts = [
        HEAD.format(seeds=", ".join(map(str, seeds)), providers=providers, visible=VISIBLE, least_shown=LEAST_SHOWN)
    ]
    for table in tables:
        detectable = table.methods[0].accuracy.detectable
        parts.append(f"## {table.fleet.name}\n\n{_settings(table.fleet)} Detectable blocks: {detectable}.\n\n")
        parts.append("\n".join([METHOD_COLUMNS, RULE, *(_row(method) for method in table.methods)]) + "\n")
        if table.delays:
            parts.append(DELAY_HEAD)
            parts += [
                f"| {name} | {d.median:.0f} | {d.p90:.0f} | {d.missed:.1%} | {d.bound:.1f} |\n"
                for name, d in table.delays.items()
            ]
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"
