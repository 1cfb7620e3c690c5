"""Fixtures that the probe's tests share."""

from __future__ import annotations

import contextlib

import pytest

from infra.lab.country import BLOCK_PAGES
from probe.base.clock import Clock
from probe.measure.context import Context
from probe.net.network import Network
from tests.support.authority import Authority
from tests.support.honest_internet import HonestInternet
from tests.support.servers import MappedDialer

LIMIT = 0.4
"""Timeout in seconds of a step that must time out."""
PATIENT = 5.0
"""Timeout in seconds of a step that must not, on a machine that is busy with other tests."""


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The certificate authority that the tests' networks trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


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
