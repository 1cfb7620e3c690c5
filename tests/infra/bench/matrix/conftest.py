"""A test bed of network namespaces for this folder's tests. Needs root, `ip` and `nft`.

One a module: a process can have one embedded store open at a time, and other modules have theirs.
"""

from __future__ import annotations

import pytest

from infra.bench.matrix import namespaces
from infra.bench.matrix.judge import Judge


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    """A line, a router and a world."""
    if lacking := namespaces.missing():
        pytest.skip(f"THE TEST BED OF NETWORK NAMESPACES IS NOT TESTED: {lacking}")
    with namespaces.NamespaceBed(tmp_path_factory.mktemp("bed")) as made:
        yield made


@pytest.fixture(scope="module")
def court(tmp_path_factory):
    """A store and the rules in force."""
    opened = Judge(tmp_path_factory.mktemp("court") / "store")
    yield opened
    opened.close()
