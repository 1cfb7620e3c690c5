"""Colours for the light and the dark theme.

The hues (vermilion, blue, amber, purple, grey) can be told apart with every common colour blindness, as those of Okabe
and Ito's palette, and each has a contrast of at least 3:1 with its background.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """One theme's colours: `ink` for text, `ground` for the background, the others for states and outcomes."""

    ink: str
    soft: str
    stop: str
    suspect: str
    ok: str
    down: str
    none: str
    ground: str

    def state(self, state: str) -> str:
        """The colour of a provider's state."""
        return {
            "suspected": self.suspect,
            "reachable": self.ok,
            "insufficient": self.none,
            "unmeasured": self.none,
        }.get(state, self.stop)

    def outcomes(self) -> dict[str, str]:
        """The colours of the outcomes of runs, by outcome."""
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
