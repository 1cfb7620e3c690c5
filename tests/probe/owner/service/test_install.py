"""The definitions of the service."""

from __future__ import annotations

import msgspec
import pytest

from probe.agent import child_worker
from probe.home.config import Config
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


def test_systemd_watches_the_agent_and_gives_its_worker_time_to_deliver(own_home):
    """It hears from the agent alone, kills what hangs, and keeps no memory of a crash."""
    text = install.definition(install.service_manager("linux"), own_home / "probe.toml")
    unit = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert (unit["Type"], unit["KillMode"], unit["Restart"]) == ("notify", "mixed", "on-failure")
    assert (unit["LimitCORE"], float(unit["WatchdogSec"])) == ("0", 120.0)
    flush_s = next(f.default for f in msgspec.structs.fields(Config) if f.name == "flush_s")
    assert float(unit["TimeoutStopSec"]) > flush_s + child_worker.STOP_S
