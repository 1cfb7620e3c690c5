"""Whether the connection is metered."""

from __future__ import annotations

import pytest

from probe.place import metered


@pytest.mark.parametrize(
    ("said", "is_it"),
    [
        ("GENERAL.STATE:100 (connected)\nGENERAL.METERED:yes (guessed)\n", True),
        (
            "GENERAL.STATE:100 (connected)\nGENERAL.METERED:no\n\nGENERAL.STATE:30 (disconnected)\nGENERAL.METERED:yes",
            False,
        ),
        ("GENERAL.STATE:100 (connected)\nGENERAL.METERED:unknown\n", False),
        ("", False),
    ],
)
def test_networkmanagers_output_is_understood(said, is_it):
    """Only a device in use counts."""
    assert metered.any_metered(said) is is_it
