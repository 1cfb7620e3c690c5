"""Fixtures that the probe's tests share."""

from __future__ import annotations

import contextlib
import os

import pytest
import structlog

from infra.lab.country import BLOCK_PAGES
from infra.lab.servers.authority import Authority
from probe.base.clock import Clock
from probe.measure.context import Context
from probe.net.network import Network
from probe.place import this_network
from probe.protocol import invite, watch_file
from tests.support.factory import APP_WATCH
from tests.support.honest_internet import HonestInternet
from tests.support.owned_probe import HOME, OPERATOR
from tests.support.servers import MappedDialer

LIMIT = 0.4
"""Timeout in seconds of a step that must time out."""
PATIENT = 5.0
"""Timeout in seconds of a step that must not, on a machine that is busy with other tests."""


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The certificate authority that the tests' networks trust."""
    return Authority(tmp_path_factory.mktemp("authority"), "Test authority")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """A certificate authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "Stranger")


@pytest.fixture
def dialer():
    """A dialer to the test's own servers."""
    return MappedDialer()


@pytest.fixture
def network(dialer, authority):
    """A network that reaches only the test's own servers."""
    return Network(dialer, authority.file, BLOCK_PAGES)


@pytest.fixture
def clock():
    """The clock of a run."""
    return Clock()


@pytest.fixture
async def town(dialer, authority):
    """A small uncensored internet behind the test's network."""
    async with contextlib.AsyncExitStack() as stack:
        yield await HonestInternet(dialer, authority, stack).build()


@pytest.fixture
async def context(town, network, clock):
    """The context in which a check runs."""
    context = Context(town.watch, network, clock)
    yield context
    await context.close()


@pytest.fixture
def default_logs():
    """Undo what the command line does to the logs."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def own_home(tmp_path, monkeypatch, default_logs):
    """A directory with a probe's home in `home`, and a fake `systemctl` that writes its arguments to `told`."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    program = bin_ / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("BLOCKONSET_PROBE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(this_network, "current_network", lambda: HOME)
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def invite_line(own_home):
    """An invite whose watch is a file."""
    raw = APP_WATCH.format(cadence_s=600).replace("fictional = true", "").encode()
    (own_home / "watch.signed").write_bytes(watch_file.sign(raw, OPERATOR))
    return invite.write(
        invite.Invite(nats=("wss://c.example", "tls://c.example:443"), watch=str(own_home / "watch.signed")), OPERATOR
    )
