"""The methods of interference."""

from __future__ import annotations

import msgspec
import pytest

from infra.lab.interference import PASS, methods


def test_no_method_concerns_a_control():
    """If the controls failed too, it would be an outage."""
    assert not any(row.touches("other") for row in methods().values())


def test_an_unknown_word_is_refused():
    """A typo in methods.toml is an error, not "no interference"."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"dns": "nxdomian"}, type(PASS))
