"""Rows of a small invented provider, for the tests of the inference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aggregator.inference.rows.rows import FAIL, OK, UNKNOWN, Rows

BASE = 1_750_000_000_000
"""The beginning of the window, ms since the epoch."""


@dataclass(frozen=True, kw_only=True)
class FleetSpec:
    """The fleet to generate. Times are seconds from BASE."""

    seed: int = 0
    lines: int = 3
    """One probe on each."""
    cadence: float = 2.0
    length: float = 150.0
    blocks: tuple[tuple[float, float], ...] = ()
    loss: float = 0.02
    """The failure rate outside blocks and outages."""
    flaky: tuple[int, ...] = ()
    """Lines that fail two runs of five at all times."""
    spared: tuple[int, ...] = ()
    """Lines that the blocks do not affect."""
    outage: tuple[float, float] | None = None
    """All runs fail, and three controls of four."""
    skew: dict[int, float] | None = None
    """Seconds by which a line's clock is fast."""
    share_failed: float = float("nan")
    """The share of endpoints that fail in each failed run."""
    silent: tuple[float, float] | None = None
    """No run at all."""


def make(spec: FleetSpec) -> Rows:
    """The rows, sorted by line and time."""
    rng = np.random.default_rng(spec.seed)
    columns: list[tuple[str, float, float, int, str, float, int]] = []
    for line in range(spec.lines):
        t = rng.uniform(0, spec.cadence)
        fast = (spec.skew or {}).get(line, 0.0)
        while t < spec.length:
            blocked = line not in spec.spared and any(a <= t < b for a, b in spec.blocks)
            outage = spec.outage is not None and spec.outage[0] <= t < spec.outage[1]
            fail = blocked or outage or rng.random() < (0.4 if line in spec.flaky else spec.loss)
            control = FAIL if outage and rng.random() < 0.75 else OK
            arrived = t + rng.uniform(0.05, 0.5) * spec.cadence
            if spec.silent is None or not spec.silent[0] <= t < spec.silent[1]:
                share = spec.share_failed if fail else float("nan")
                columns.append(
                    (f"p{line}", t + fast, arrived, int(fail), "tcp-reset" if blocked else "", share, control)
                )
            t += spec.cadence * rng.uniform(0.9, 1.1)
    probe, at, arrived_at, fails, method, shares, controls = zip(*columns, strict=True)
    n = len(probe)
    return Rows(
        watch="w",
        provider="prov",
        surface="app",
        probe=np.array(probe),
        line=np.array([p.replace("p", "line") for p in probe]),
        at=BASE + np.rint(np.array(at) * 1000).astype(np.int64),
        received=BASE + np.rint(np.array(arrived_at) * 1000).astype(np.int64),
        outcome=np.array(fails, np.int8),
        method=np.array(method),
        share_failed=np.array(shares, float),
        speed=np.full(n, np.nan),
        control=np.array(controls, np.int8),
        reference=np.full(n, UNKNOWN, np.int8),
    )


def seconds(text: str | None) -> float:
    """An answer's time as seconds from BASE."""
    assert text is not None
    return (np.datetime64(text.rstrip("Z"), "ms").astype(np.int64) - BASE) / 1000
