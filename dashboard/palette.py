"""Colours for light and dark.

The hues (vermilion, blue, amber, purple, grey) stay apart in every common colour
blindness, as in Okabe and Ito's set, and each has a contrast of at least 3:1 with its ground.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """One theme's colours."""

    ink: str
    soft: str
    stop: str
    suspect: str
    ok: str
    down: str
    none: str
    ground: str

    def state(self, state: str) -> str:
        """A provider's state."""
        return {
            "suspected": self.suspect,
            "reachable": self.ok,
            "insufficient": self.none,
            "unmeasured": self.none,
        }.get(state, self.stop)

    def outcomes(self) -> dict[str, str]:
        """A run's outcome."""
        return {"ok": self.ok, "blocked": self.stop, "down": self.down, "inconclusive": self.none}


LIGHT = Palette(
    ink="#1d2126",
    soft="#5b626c",
    stop="#bd3f10",
    suspect="#946000",
    ok="#1b6fa8",
    down="#7a4a9e",
    none="#767d87",
    ground="#fcfbf8",
)
DARK = Palette(
    ink="#e9e6df",
    soft="#a5abb4",
    stop="#ff8a5b",
    suspect="#e2b03c",
    ok="#66b3e6",
    down="#c39ae3",
    none="#8b939e",
    ground="#12161b",
)


def of(theme: str | None) -> Palette:
    """The colours for Streamlit's theme, `light` or `dark`."""
    return DARK if theme == "dark" else LIGHT
