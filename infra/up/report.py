"""What `up --for` prints at its end: each provider's answer, in a lab next to the truth, and the custody balance."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.table import Table

from probe.base import times


class ProviderTruth(msgspec.Struct, frozen=True, kw_only=True):
    """What really happened at a provider of the lab; times RFC 3339 UTC."""

    blocked: bool
    onset: str | None = None
    lift: str | None = None
    method: str = ""


class ProviderResult(msgspec.Struct, frozen=True, kw_only=True):
    """One provider: the answer as the API gives it, and the truth where it is known (in a lab)."""

    provider: str
    truth: ProviderTruth | None
    answer: dict[str, Any]


class CustodyBalance(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of measurements, counted by segment id: if sealed != stored + rejected + spooled, some were lost."""

    sealed: int
    stored: int
    rejected: int
    spooled: int

    @property
    def balanced(self) -> bool:
        """Whether nothing was lost and nothing was counted twice."""
        return self.sealed == self.stored + self.rejected + self.spooled


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report; `--json` prints it as one document."""

    watch: str
    cadence_s: float
    providers: tuple[ProviderResult, ...]
    custody: CustodyBalance
    api: str
    dashboard: str | None


def answer_of(entry: dict[str, Any]) -> dict[str, Any]:
    """The report's `answer`, made from one provider's entry in the API's `onsets` answer."""
    answer = entry.get("answer")
    if answer is None:
        return {
            "state": "insufficient",
            "surface": None,
            "onset": None,
            "lift": None,
            "method": "",
            "p_block": None,
            "measurements": 0,
            "probes": 0,
        }
    keys = ("state", "onset", "lift", "method", "p_block", "measurements", "probes")
    return {"surface": entry["surface"]} | {k: answer[k] for k in keys}


def error_s(result: ProviderResult) -> float | None:
    """Seconds from the true onset to the estimate; None where one of them is missing."""
    onset = result.answer["onset"]
    if result.truth is None or result.truth.onset is None or onset is None or onset["estimate"] is None:
        return None
    return (times.moment(onset["estimate"]) - times.moment(result.truth.onset)).total_seconds()


def table(report: Report) -> Table:
    """The report as a table: one row per provider, times of day in UTC."""
    has_truth = any(p.truth for p in report.providers)
    t = Table(title=f"{report.watch}: when it stopped working, by provider (UTC)", title_justify="left")
    t.add_column("provider")
    t.add_column("state")
    if has_truth:
        t.add_column("method, true")
    t.add_column("method")
    if has_truth:
        t.add_column("onset, true")
    for name in ("onset", "earliest", "latest"):
        t.add_column(name)
    if has_truth:
        t.add_column("error, s", justify="right")
    for p in report.providers:
        onset = p.answer["onset"] or {}
        cells = [p.provider, p.answer["state"]]
        if has_truth:
            cells.append(p.truth.method if p.truth else "")
        cells.append(p.answer["method"])
        if has_truth:
            cells.append(_clock(p.truth.onset if p.truth else None))
        cells += [_clock(onset.get(k)) for k in ("estimate", "earliest", "latest")]
        if has_truth:
            error = error_s(p)
            cells.append("" if error is None else f"{error:+.1f}")
        t.add_row(*cells)
    c = report.custody
    t.caption = (
        f"{c.sealed} measurements sealed = {c.stored} stored + {c.rejected} rejected + {c.spooled} still with probes"
        + ("" if c.balanced else "  — THIS DOES NOT ADD UP")
    )
    t.caption_justify = "left"
    return t


def _clock(text: str | None) -> str:
    return f"{times.moment(text):%H:%M:%S}" if text else ""
