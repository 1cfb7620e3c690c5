"""What really happened in a scenario, for comparison with the answers.

Nothing that measures, stores or infers may import this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.base import times

if TYPE_CHECKING:
    from infra.lab.scenario import Scenario


def truth(scenario: Scenario, zero_ms: int) -> list[dict[str, Any]]:
    """One row per provider: `provider`, `blocked`, `onset`, `lift` (RFC 3339 UTC or None), `method`, `surfaces`.

    `zero_ms` is the scenario's zero time in milliseconds since the epoch. A provider that never blocks, an outage or
    a flaky line included, has `blocked` False, no times and the method "".
    """
    rows = []
    for p in scenario.providers:
        block = p.block
        lift_s = block.lift_s if block else None
        rows.append(
            {
                "provider": p.id,
                "blocked": block is not None,
                "onset": times.text(zero_ms + round(block.onset_s * 1000)) if block else None,
                "lift": times.text(zero_ms + round(lift_s * 1000)) if lift_s is not None else None,
                "method": block.method if block else "",
                "surfaces": list(block.surfaces) if block else [],
            }
        )
    return rows
