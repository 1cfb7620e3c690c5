"""A test bed of network namespaces for this folder's tests. Needs root, `ip` and `nft`.

One per module: a process can open only one embedded store at a time, and other modules open their own.
"""

from __future__ import annotations

import pytest

from infra.bench.matrix import namespaces
from infra.bench.matrix.judge import Judge


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    """A near side, a router and a far side."""
    if lacking := namespaces.missing():
        pytest.skip(f"THE TEST BED OF NETWORK NAMESPACES IS NOT TESTED: {lacking}")
    with namespaces.NamespaceBed(tmp_path_factory.mktemp("bed")) as made:
        yield made


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """A store and the newest rules."""
    made = Judge(tmp_path_factory.mktemp("judge") / "store")
    yield made
    made.close()
