"""How long to wait before the next attempt: exponential back-off with jitter."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def waits(first_s: float, most_s: float) -> Iterator[float]:
    """Endless seconds to wait before each further attempt: uniform in [w/2, w); w doubles from `first_s` to `most_s`.

    The lower bound makes every pause a real one; the random part keeps many probes from reconnecting all at once.
    """
    wait = first_s
    while True:
        yield wait * random.uniform(0.5, 1.0)  # noqa: S311 - it spreads load and is no secret
        wait = min(wait * 2, most_s)
