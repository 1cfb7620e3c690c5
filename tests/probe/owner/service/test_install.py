"""The definitions of the service."""

from __future__ import annotations

import pytest

from probe.owner.service import install


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_managers_definition_is_filled_in_and_well_formed(own_home, platform):
    """XML can be parsed, with special characters in the path."""
    from xml.etree import ElementTree as ET

    found = install.service_manager(platform)
    text = install.definition(found, own_home / "a & b" / "probe.toml")
    assert "%{" not in text
    if platform != "linux":
        words = " ".join(t.text or "" for t in ET.fromstring(text.split("?>", 1)[1]).iter())
        assert "a & b" in words
    else:
        assert f'"{own_home}/a & b/probe.toml"' in text
