"""Rows of a small made-up provider, for the tests of the inference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aggregator.inference.rows.rows import FAIL, OK, UNKNOWN, Rows

BASE = 1_750_000_000_000
"""When the made-up window begins, ms."""


@dataclass(frozen=True, kw_only=True)
class FleetSpec:
    """What to make up. Times are seconds from BASE."""

    seed: int = 0
    lines: int = 3
    cadence: float = 2.0
    length: float = 150.0
    blocks: tuple[tuple[float, float], ...] = ()
    loss: float = 0.02
    flaky: tuple[int, ...] = ()
    """Lines that fail two runs of five at all times."""
    spared: tuple[int, ...] = ()
    outage: tuple[float, float] | None = None
    """All runs fail; three controls of four do."""
    skew: dict[int, float] | None = None
    """Seconds by which a line's clock is fast."""
    share: float = float("nan")
    dark: tuple[float, float] | None = None
    """No run at all."""


def make(made: FleetSpec) -> Rows:
    """The rows, sorted by line and time."""
    rng = np.random.default_rng(made.seed)
    columns: list[tuple[str, float, float, int, str, float, int]] = []
    for line in range(made.lines):
        t = rng.uniform(0, made.cadence)
        fast = (made.skew or {}).get(line, 0.0)
        while t < made.length:
            blocked = line not in made.spared and any(a <= t < b for a, b in made.blocks)
            out = made.outage is not None and made.outage[0] <= t < made.outage[1]
            fail = blocked or out or rng.random() < (0.4 if line in made.flaky else made.loss)
            control = FAIL if out and rng.random() < 0.75 else OK
            arrived = t + rng.uniform(0.05, 0.5) * made.cadence
            if made.dark is None or not made.dark[0] <= t < made.dark[1]:
                share = made.share if fail else float("nan")
                columns.append(
                    (f"p{line}", t + fast, arrived, int(fail), "tcp-reset" if blocked else "", share, control)
                )
            t += made.cadence * rng.uniform(0.9, 1.1)
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
