"""The dialer of the lab's probes."""

from __future__ import annotations

import errno

import pytest

from infra.lab.country import map_file
from infra.lab.dialer import CurrentMap, LabDialer


def test_addresses_outside_the_lab_are_unreachable(tmp_path):
    """An address that isn't on the map is unreachable; without a country the network is down."""
    dialer = LabDialer(CurrentMap(map_file(tmp_path)), "free-1")
    with pytest.raises(OSError, match="country isn't running") as e:
        dialer.tcp("198.51.100.80", 443)
    assert e.value.errno == errno.ENETDOWN
    map_file(tmp_path).parent.mkdir()
    map_file(tmp_path).write_text('{"lines": {"free-1": {"resolver": 5, "ports": {"198.51.100.80:443": 7}}}}')
    assert dialer.tcp("198.51.100.80", 443) == ("127.0.0.1", 7)
    assert dialer.system_resolver() == ("127.0.0.1", 5)
    for address, port in (("8.8.8.8", 53), ("198.51.100.80", 80), ("127.0.0.1", 7)):
        with pytest.raises(OSError, match="not in the lab") as e:
            dialer.tcp(address, port)
        assert e.value.errno == errno.ENETUNREACH
    with pytest.raises(OSError, match="no line other-1"):
        LabDialer(CurrentMap(map_file(tmp_path)), "other-1").system_resolver()
