"""Simulated fleets: rows of many providers with the truth beside them.

Everything is drawn from one seed. The simulator shares no code and no constants with the model.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aggregator.inference.rows.rows import FAIL, OK, UNKNOWN, Rows

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Span = tuple[float, float]

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
EPOCH_MS = 1_750_000_000_000
FOREVER = float("inf")
TELLING = 2


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """What kind of fleet to draw. Shares are of probes unless said otherwise; times in seconds."""

    name: str
    providers: int = 200
    days: float = 14.0
    cadences: tuple[float, ...] = (5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 20 * MINUTE, 30 * MINUTE, 60 * MINUTE)
    probes: tuple[int, int] = (1, 8)
    shapes: dict[str, float] = field(
        default_factory=lambda: {"none": 0.45, "lasting": 0.35, "lifted": 0.12, "partial": 0.08}
    )
    """How often each kind of block is drawn: none, lasting, lifted, partial, intermittent, scheduled, throttled."""
    loss: Span = (0.0, 0.04)
    """The range of the probes' failure rates outside a block."""
    inside: Span = (0.88, 1.0)
    """The range of their failure rates inside one."""
    spared: float = 0.06
    bad: float = 0.01
    """Probes that fail at a random rate at all times, or always."""
    skewed: float = 0.0
    switching: float = 0.002
    """Probes that begin to fail on their own, for good or for days."""
    churn: float = 0.25
    """Probes that come late or leave early."""
    night_off: float = 0.25
    missing: float = 0.05
    """Runs that never happened."""
    lagged: float = 0.2
    """Providers whose block shows late, each line by an exponential delay of mean `lag`."""
    lag: float = 20 * MINUTE
    outages: float = 1.0
    """Outages a provider has, mean; controls show them, but for some survivors."""
    hidden_outages: float = 0.05
    """Outages that no control shows, mean."""
    global_outages: int = 0
    private_outages: float = 0.7
    """Outages of one line, mean; its control shows them."""
    control_known: float = 1.0
    """Providers whose rows carry a control."""
    received_known: float = 1.0
    """Providers whose rows carry an arrival time of their own."""
    late: float = 0.1
    """Probes that hold rows back for hours now and then."""
    collector_blocked: float = 0.1
    """Providers on which the collector is blocked with the service: rows arrive hours late from then on."""


@dataclass(frozen=True, slots=True)
class SimulatedTruth:
    """What really happened, ms since the epoch."""

    shape: str
    blocks: tuple[tuple[int, int | None], ...]
    """Onset and lift; None while it lasts."""
    cadence_ms: int
    seen: int
    """Failures a working probe could see inside the first block, controls passing."""
    earlier: int
    """Successes before it."""
    lines: int
    showing: int
    """Lines that could show the first block: at least TELLING failures inside it, and as many successes before."""
    days: float


@dataclass(frozen=True, slots=True)
class SimulatedProvider:
    """One provider's rows and its truth."""

    rows: Rows
    truth: SimulatedTruth


def _within(t: Floats, spans: list[Span]) -> Bools:
    found = np.zeros(t.size, bool)
    for start, stop in spans:
        found |= (t >= start) & (t < stop)
    return found


def _blocks(rng: np.random.Generator, fleet: Fleet, shape: str) -> list[Span]:
    """When the provider blocks."""
    end = fleet.days * DAY
    if shape == "none":
        return []
    start = rng.uniform(0.06, 0.94) * end
    if shape == "lifted":
        return [(start, start + float(np.exp(rng.uniform(np.log(3 * HOUR), np.log(5 * DAY)))))]
    if shape == "intermittent":
        spans, t = [], rng.uniform(0.05, 0.4) * end
        for _ in range(int(rng.integers(2, 7))):
            length = float(np.exp(rng.uniform(np.log(3 * HOUR), np.log(30 * HOUR))))
            spans.append((t, t + length))
            t += length + rng.uniform(8 * HOUR, 60 * HOUR)
        return [s for s in spans if s[0] < end - 6 * HOUR]
    if shape == "scheduled":
        first, days = int(rng.integers(1, 6)), int(rng.integers(4, 9))
        hours = [(7 * HOUR, 10 * HOUR), (13 * HOUR, 16 * HOUR)] if rng.random() < 0.5 else [(8 * HOUR, 14 * HOUR)]
        return [(d * DAY + a, d * DAY + b) for d in range(first, min(first + days, int(fleet.days))) for a, b in hours]
    return [(start, FOREVER)]


def _outages(rng: np.random.Generator, mean: float, end: float, longest: float) -> list[Span]:
    spans = []
    for _ in range(int(rng.poisson(mean))):
        start = rng.uniform(0, end)
        spans.append((start, start + float(np.exp(rng.uniform(np.log(10 * MINUTE), np.log(longest))))))
    return spans


@dataclass(frozen=True, slots=True)
class _Setting:
    """What all probes of one provider share."""

    cadence: float
    blocks: list[Span]
    strength: float
    lag: float
    outages: list[Span]
    survivors: float
    hidden: list[Span]
    down: list[Span]
    control: bool
    received: bool
    reference: bool
    held_from: float
    slow: bool


def _probe(rng: np.random.Generator, fleet: Fleet, s: _Setting, name: str) -> dict[str, npt.NDArray[np.generic]]:
    """One probe's rows as columns; `true` is when it really measured, `blocked` whether a block was on for it."""
    end = fleet.days * DAY
    since, until = 0.0, end
    if rng.random() < fleet.churn:
        if rng.random() < 0.5:
            since = rng.uniform(0, 0.8) * end
        else:
            until = rng.uniform(0.2, 1) * end
    t = rng.uniform(0, s.cadence) + np.cumsum(s.cadence * rng.uniform(0.9, 1.1, int(end / s.cadence / 0.9) + 2))
    t = t[(t >= since) & (t < until) & (rng.random(t.size) >= fleet.missing)]
    if rng.random() < fleet.night_off:
        bed, rise = rng.uniform(21, 25), rng.uniform(29, 32)
        hour = (t / HOUR) % 24
        t = t[~(((hour >= bed) | (hour + 24 >= bed)) & ((hour + 24 < rise) | (hour >= bed)))]
    n = t.size

    bad, switches = rng.random() < fleet.bad, rng.random() < fleet.switching
    rate = np.full(n, rng.uniform(*fleet.loss))
    if bad:
        rate[:] = 0.985 if rng.random() < 0.3 else rng.uniform(0.1, 0.9)
    if switches:
        start = rng.uniform(0.05, 0.95) * end
        stop = FOREVER if rng.random() < 0.6 else start + rng.uniform(0.3, 4) * DAY
        rate[_within(t, [(start, stop)])] = rng.uniform(0.85, 1)
    spared = rng.random() < fleet.spared
    late_by = rng.exponential(s.lag) if s.lag else 0.0
    late_off = rng.exponential(s.lag) if s.lag else 0.0
    seen = [(a + late_by, b + late_off) for a, b in s.blocks if a + late_by < b + late_off]
    blocked = _within(t, seen) & (not spared)
    rate = np.where(blocked, np.maximum(rate, rng.uniform(*fleet.inside) * s.strength), rate)
    fail = rng.random(n) < rate

    private = _within(t, _outages(rng, fleet.private_outages, end, 10 * HOUR))
    out = _within(t, s.outages) | private
    down = _within(t, s.down)
    fail |= out | down | _within(t, s.hidden)
    control = np.where(rng.random(n) < 0.003, FAIL, OK)
    lost = out | (down & (not s.reference))
    control = np.where(lost & (rng.random(n) >= s.survivors), FAIL, control)
    reference = np.where(down & (rng.random(n) < 0.9), FAIL, OK) if s.reference else np.full(n, UNKNOWN)

    skew = 0.0
    if rng.random() < fleet.skewed:
        skew = float(rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(2 * MINUTE), np.log(12 * HOUR))))
    delay = rng.uniform(1, 60, n)
    if rng.random() < fleet.late:
        for a, b in _outages(rng, 3, end, 20 * HOUR):
            held = (t >= a) & (t < b)
            delay[held] += b - t[held]
    if s.held_from < FOREVER:
        held = t >= s.held_from
        delay[held] += np.ceil((t[held] - s.held_from) / (6 * HOUR)) * 6 * HOUR - (t[held] - s.held_from)
    at = t + skew
    return {
        "probe": np.full(n, name),
        "at": at,
        "received": t + delay if s.received else at,
        "fail": fail & ~(s.slow & blocked),
        "slow": fail & blocked & s.slow,
        "control": control if s.control else np.full(n, UNKNOWN),
        "reference": reference,
        "true": t,
        "blocked": blocked & ~out & ~down & (fail | (s.slow & blocked)),
        "worked": ~fail & ~out,
    }


def _shows(t: Floats, probe: dict[str, npt.NDArray[np.generic]], onset: float, lift: float) -> bool:
    """Whether a probe, measuring at `t`, could show a block by itself."""
    inside = (t >= onset) & (t < lift) & probe["blocked"].astype(bool)
    before = (t < onset) & probe["worked"].astype(bool)
    return int(inside.sum()) >= TELLING and int(before.sum()) >= TELLING


def provider(fleet: Fleet, seed: int, number: int, down: list[Span]) -> SimulatedProvider:
    """One provider of a fleet."""
    rng = np.random.default_rng([seed, number])
    end = fleet.days * DAY
    weights = np.array(list(fleet.shapes.values()))
    shape = str(rng.choice(list(fleet.shapes), p=weights / weights.sum()))
    cadence = float(rng.choice(fleet.cadences))
    blocks = _blocks(rng, fleet, shape)
    setting = _Setting(
        cadence=cadence,
        blocks=blocks,
        strength=float(rng.uniform(0.35, 0.7)) if shape == "partial" else 1.0,
        lag=fleet.lag if rng.random() < fleet.lagged else 0.0,
        outages=_outages(rng, fleet.outages, end, 8 * HOUR),
        survivors=float(rng.uniform(0, 0.5)),
        hidden=_outages(rng, fleet.hidden_outages, end, 2 * HOUR),
        down=down,
        control=rng.random() < fleet.control_known,
        received=rng.random() < fleet.received_known,
        reference=rng.random() < 0.5,
        held_from=blocks[0][0] if blocks and rng.random() < fleet.collector_blocked else FOREVER,
        slow=shape == "throttled",
    )
    count = int(rng.integers(fleet.probes[0], fleet.probes[1] + 1))
    parts = [_probe(rng, fleet, setting, f"p{j}") for j in range(count)]
    c = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
    n = c["at"].size
    onset = blocks[0][0] if blocks else FOREVER
    lift = blocks[0][1] if blocks else 0.0
    first = (c["true"] >= onset) & (c["true"] < lift)
    rows = Rows(
        watch=fleet.name,
        provider=f"provider-{number:04d}",
        surface="",
        probe=c["probe"].astype(np.str_),
        line=c["probe"].astype(np.str_),
        at=EPOCH_MS + np.rint(c["at"].astype(float) * 1000).astype(np.int64),
        received=EPOCH_MS + np.rint(c["received"].astype(float) * 1000).astype(np.int64),
        outcome=c["fail"].astype(np.int8),
        method=np.where(c["fail"], "tcp-timeout", "").astype(np.str_),
        share_failed=np.full(n, np.nan),
        speed=np.where(c["slow"], rng.uniform(0.01, 0.12, n), np.nan if shape != "throttled" else 0.9),
        control=c["control"].astype(np.int8),
        reference=c["reference"].astype(np.int8),
    )
    truth = SimulatedTruth(
        shape=shape,
        blocks=tuple((EPOCH_MS + round(a * 1000), None if b >= end else EPOCH_MS + round(b * 1000)) for a, b in blocks),
        cadence_ms=round(cadence * 1000),
        seen=int((first & c["blocked"]).sum()),
        earlier=int(((c["true"] < onset) & c["worked"]).sum()),
        lines=count,
        showing=sum(_shows(p["true"].astype(float), p, onset, lift) for p in parts),
        days=fleet.days,
    )
    return SimulatedProvider(rows, truth)


def global_outages(fleet: Fleet, seed: int) -> list[Span]:
    """Times at which the service, or the way to it, is down for everybody."""
    rng = np.random.default_rng([seed, 1_000_000])
    return [
        (start, start + rng.uniform(0.5, 4) * HOUR)
        for start in rng.uniform(0, fleet.days * DAY, fleet.global_outages).tolist()
    ]


def simulate(fleet: Fleet, seed: int) -> list[SimulatedProvider]:
    """All providers of one fleet."""
    down = global_outages(fleet, seed)
    return [provider(fleet, seed, i, down) for i in range(fleet.providers)]


CLEAN = Fleet(name="clean")
STRESS = Fleet(
    name="stress",
    bad=0.15,
    skewed=0.15,
    switching=0.08,
    global_outages=6,
    lagged=0.35,
    lag=60 * MINUTE,
)
