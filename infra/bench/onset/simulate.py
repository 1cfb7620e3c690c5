"""Simulated fleets: rows of many providers, each with the truth.

Everything is drawn from one seed. The simulator shares no code and no constants with the model; only `Rows` and its
codes. Times in this module are seconds from EPOCH_MS, unless they end in `_ms`.
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
LEAST_SHOWN = 2
"""A line could show a block by itself with this many failures inside it, and as many successes before."""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The kind of fleet to draw. Shares are of probes unless stated otherwise; times in seconds."""

    name: str
    providers: int = 200
    days: float = 14.0
    cadences: tuple[float, ...] = (5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 20 * MINUTE, 30 * MINUTE, 60 * MINUTE)
    """Of which each provider has one."""
    probes: tuple[int, int] = (1, 8)
    """The least and greatest number of probes of a provider."""
    shapes: dict[str, float] = field(
        default_factory=lambda: {"none": 0.45, "lasting": 0.35, "lifted": 0.12, "partial": 0.08}
    )
    """Relative frequencies of the shapes none, lasting, lifted, partial, intermittent, scheduled and throttled."""
    loss: Span = (0.0, 0.04)
    """The range of the probes' failure rates outside a block."""
    inside: Span = (0.88, 1.0)
    """The range of their failure rates inside one."""
    spared: float = 0.06
    """Probes that the block does not affect."""
    bad: float = 0.01
    """Probes that fail at a random rate at all times, or always."""
    skewed: float = 0.0
    """Probes whose clock is wrong, by 2 minutes to 12 hours."""
    switching: float = 0.002
    """Probes that begin to fail independently of a block, for good or for days."""
    churn: float = 0.25
    """Probes that start late or stop early."""
    night_off: float = 0.25
    """Probes that are off at night."""
    missing: float = 0.05
    """Runs that never happened."""
    lagged: float = 0.2
    """Share of the providers whose block each line sees after an exponential delay of mean `lag`."""
    lag: float = 20 * MINUTE
    outages: float = 1.0
    """Mean number of outages of a provider; all its controls fail but for some survivors."""
    hidden_outages: float = 0.05
    """Mean number of outages of a provider that no control shows."""
    global_outages: int = 0
    """Number of outages of the service itself, for everybody."""
    private_outages: float = 0.7
    """Mean number of outages of one line, which its control shows."""
    control_known: float = 1.0
    """Share of the providers whose rows have a control."""
    received_known: float = 1.0
    """Share of the providers whose rows have an arrival time different from `at`."""
    late: float = 0.1
    """Probes that deliver some rows hours late."""
    collector_blocked: float = 0.1
    """Share of the providers that block the collector with the service: rows arrive hours late from then on."""


@dataclass(frozen=True, slots=True)
class SimulatedTruth:
    """What happened on one provider; times in ms since the epoch."""

    shape: str
    blocks: tuple[tuple[int, int | None], ...]
    """Onset and lift of each block; the lift is None if it lasts."""
    cadence_ms: int
    visible_failures: int
    """Runs that fail because of the first block, outside outages."""
    successes_before: int
    """Successful runs before it."""
    lines: int
    showing_lines: int
    """Lines that could show the first block by themselves, see LEAST_SHOWN."""
    days: float


@dataclass(frozen=True, slots=True)
class SimulatedProvider:
    """One provider's rows, and the truth."""

    rows: Rows
    truth: SimulatedTruth


def _within(t: Floats, spans: list[Span]) -> Bools:
    """Which times lie in one of the spans [start, stop)."""
    within = np.zeros(t.size, bool)
    for start, stop in spans:
        within |= (t >= start) & (t < stop)
    return within


def _blocks(rng: np.random.Generator, fleet: Fleet, shape: str) -> list[Span]:
    """The times at which a provider with this shape blocks."""
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
    """A Poisson number of outages, uniform in [0, end), of log-uniform length from ten minutes to `longest`."""
    spans = []
    for _ in range(int(rng.poisson(mean))):
        start = rng.uniform(0, end)
        spans.append((start, start + float(np.exp(rng.uniform(np.log(10 * MINUTE), np.log(longest))))))
    return spans


@dataclass(frozen=True, slots=True)
class _Setting:
    """What all probes of one provider have in common."""

    cadence: float
    blocks: list[Span]
    strength: float
    """Factor of the failure rate inside a block."""
    lag: float
    """Mean delay with which a probe sees a change of the block; 0: none."""
    outages: list[Span]
    survivors: float
    """The share of controls that pass inside an outage."""
    hidden: list[Span]
    """Outages that no control shows."""
    down: list[Span]
    """Outages of the service itself."""
    control: bool
    """Whether rows have a control; `received` and `reference` likewise."""
    received: bool
    reference: bool
    held_from: float
    """From then on rows arrive at the end of six-hour periods, because the collector is blocked too."""
    slow: bool
    """Whether the block slows runs down instead of making them fail."""


def _simulate_probe(
    rng: np.random.Generator, fleet: Fleet, s: _Setting, name: str
) -> dict[str, npt.NDArray[np.generic]]:
    """One probe's rows as columns: those of Rows, and the truth.

    `true`: when a row was really measured; `blocked`: whether it failed or was slow because of a block; `worked`:
    whether the run succeeded.
    """
    end = fleet.days * DAY
    first, last = 0.0, end
    if rng.random() < fleet.churn:
        if rng.random() < 0.5:
            first = rng.uniform(0, 0.8) * end
        else:
            last = rng.uniform(0.2, 1) * end
    t = rng.uniform(0, s.cadence) + np.cumsum(s.cadence * rng.uniform(0.9, 1.1, int(end / s.cadence / 0.9) + 2))
    t = t[(t >= first) & (t < last) & (rng.random(t.size) >= fleet.missing)]
    if rng.random() < fleet.night_off:
        off_from, off_until = rng.uniform(21, 25), rng.uniform(29, 32)
        hour = (t / HOUR) % 24
        t = t[~(((hour >= off_from) | (hour + 24 >= off_from)) & ((hour + 24 < off_until) | (hour >= off_from)))]
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
    onset_delay = rng.exponential(s.lag) if s.lag else 0.0
    lift_delay = rng.exponential(s.lag) if s.lag else 0.0
    delayed = [(a + onset_delay, b + lift_delay) for a, b in s.blocks if a + onset_delay < b + lift_delay]
    blocked = _within(t, delayed) & (not spared)
    rate = np.where(blocked, np.maximum(rate, rng.uniform(*fleet.inside) * s.strength), rate)
    fail = rng.random(n) < rate

    private = _within(t, _outages(rng, fleet.private_outages, end, 10 * HOUR))
    outage = _within(t, s.outages) | private
    down = _within(t, s.down)
    fail |= outage | down | _within(t, s.hidden)
    control = np.where(rng.random(n) < 0.003, FAIL, OK)
    control_fails = outage | (down & (not s.reference))
    control = np.where(control_fails & (rng.random(n) >= s.survivors), FAIL, control)
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
        "blocked": blocked & ~outage & ~down & (fail | (s.slow & blocked)),
        "worked": ~fail & ~outage,
    }


def _shows(t: Floats, probe: dict[str, npt.NDArray[np.generic]], onset: float, lift: float) -> bool:
    """Whether a probe that measured at `t` could show a block by itself, see LEAST_SHOWN."""
    inside = (t >= onset) & (t < lift) & probe["blocked"].astype(bool)
    before = (t < onset) & probe["worked"].astype(bool)
    return int(inside.sum()) >= LEAST_SHOWN and int(before.sum()) >= LEAST_SHOWN


def simulate_provider(fleet: Fleet, seed: int, number: int, down: list[Span]) -> SimulatedProvider:
    """The provider with this number in a fleet; `down`: the service's own outages, see `global_outages`."""
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
    parts = [_simulate_probe(rng, fleet, setting, f"p{j}") for j in range(count)]
    columns = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
    n = columns["at"].size
    onset = blocks[0][0] if blocks else FOREVER
    lift = blocks[0][1] if blocks else 0.0
    in_first_block = (columns["true"] >= onset) & (columns["true"] < lift)
    rows = Rows(
        watch=fleet.name,
        provider=f"provider-{number:04d}",
        surface="",
        probe=columns["probe"].astype(np.str_),
        line=columns["probe"].astype(np.str_),
        at=EPOCH_MS + np.rint(columns["at"].astype(float) * 1000).astype(np.int64),
        received=EPOCH_MS + np.rint(columns["received"].astype(float) * 1000).astype(np.int64),
        outcome=columns["fail"].astype(np.int8),
        method=np.where(columns["fail"], "tcp-timeout", "").astype(np.str_),
        share_failed=np.full(n, np.nan),
        speed=np.where(columns["slow"], rng.uniform(0.01, 0.12, n), np.nan if shape != "throttled" else 0.9),
        control=columns["control"].astype(np.int8),
        reference=columns["reference"].astype(np.int8),
    )
    truth = SimulatedTruth(
        shape=shape,
        blocks=tuple((EPOCH_MS + round(a * 1000), None if b >= end else EPOCH_MS + round(b * 1000)) for a, b in blocks),
        cadence_ms=round(cadence * 1000),
        visible_failures=int((in_first_block & columns["blocked"]).sum()),
        successes_before=int(((columns["true"] < onset) & columns["worked"]).sum()),
        lines=count,
        showing_lines=sum(_shows(p["true"].astype(float), p, onset, lift) for p in parts),
        days=fleet.days,
    )
    return SimulatedProvider(rows, truth)


def global_outages(fleet: Fleet, seed: int) -> list[Span]:
    """The times at which the service itself is down for everybody."""
    rng = np.random.default_rng([seed, 1_000_000])
    return [
        (start, start + rng.uniform(0.5, 4) * HOUR)
        for start in rng.uniform(0, fleet.days * DAY, fleet.global_outages).tolist()
    ]


def simulate(fleet: Fleet, seed: int) -> list[SimulatedProvider]:
    """All providers of one fleet."""
    down = global_outages(fleet, seed)
    return [simulate_provider(fleet, seed, i, down) for i in range(fleet.providers)]


CLEAN = Fleet(name="clean")
"""Mostly sound probes and right clocks."""
STRESS = Fleet(
    name="stress",
    bad=0.15,
    skewed=0.15,
    switching=0.08,
    global_outages=6,
    lagged=0.35,
    lag=60 * MINUTE,
)
"""Many bad, skewed and switching probes, long lags, and outages of the service."""
