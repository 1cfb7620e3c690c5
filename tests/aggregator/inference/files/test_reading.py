"""Reading files of measurements."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.inference.files import reading
from probe.base.errors import UserError

BAD = [
    ("at", "yesterday", "is not a time"),
    ("at", "2025-06-16 10:00:00", "names no time zone"),
    ("at", "nan", "is not a time"),
    ("at", "1970-01-01T00:00:00Z", "not between the years 2000 and 2100"),
    ("at", "2100-01-01T00:00:00Z", "not between the years 2000 and 2100"),
    ("at", "1750000000000", "not between the years 2000 and 2100"),
    ("provider", "", "is empty"),
    ("probe", " ", "is empty"),
    ("outcome", "blocked", "is not one of 'ok', 'fail', 'inconclusive'"),
    ("control", "maybe", "is not one of 'ok', 'fail', empty"),
    ("share_failed", "1.5", "is not between 0 and 1"),
    ("speed", "NaN", "is not 0 or more"),
    ("received", "inf", "is not a time"),
]


@pytest.mark.parametrize(("column", "value", "words"), BAD)
def test_error_names_the_place_of_a_bad_value(tmp_path: Path, column: str, value: str, words: str) -> None:
    """The error names the file, the line and the column of a bad value."""
    good = {"provider": "p", "probe": "a", "at": "2025-06-16T10:00:00Z", "outcome": "ok", "received": "", "control": "",
            "share_failed": "", "speed": ""}  # fmt: skip
    path = tmp_path / "m.csv"
    path.write_text(
        "".join(",".join(cells) + "\n" for cells in (good, good.values(), {**good, column: value}.values()))
    )
    with pytest.raises(UserError) as error:
        list(reading.read(str(path), None))
    assert error.value.message.startswith(f"{path}:3:{column}: ")
    assert words in error.value.message
