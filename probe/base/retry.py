"""How long to wait before the next try: longer each time, never in step with the others."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def waits(first_s: float, most_s: float) -> Iterator[float]:
    """Seconds before each further try, for ever: uniform in [w/2, w), where w doubles from `first_s` to `most_s`.

    The lower half keeps a pause from being none; the random half keeps a fleet from coming back all at once.
    """
    wait = first_s
    while True:
        yield wait * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing
        wait = min(wait * 2, most_s)
