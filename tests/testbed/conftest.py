"""A test bed of network namespaces for this folder's tests. Needs root, `ip` and `nft`; in CI it must be there."""

from __future__ import annotations

import os

import pytest

from infra.bench import bed as beds
from infra.bench.verdicts import Court


@pytest.fixture(scope="session")
def bed(tmp_path_factory):
    """A line, a router and a world."""
    lacking = beds.missing()
    if lacking and os.environ.get("BLOCKONSET_CI") != "1":
        pytest.skip(f"THE TEST BED OF NETWORK NAMESPACES IS NOT TESTED: {lacking}")
    with beds.Bed(tmp_path_factory.mktemp("bed")) as made:
        yield made


@pytest.fixture(scope="session")
def court(tmp_path_factory):
    """A store and the rules in force."""
    opened = Court(tmp_path_factory.mktemp("court") / "store")
    yield opened
    opened.close()
