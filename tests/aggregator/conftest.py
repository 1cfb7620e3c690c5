"""The stores that the aggregator's tests use: one for each module, because opening a store is slow."""

from __future__ import annotations

import os
import secrets

import pytest

from aggregator.store.store import Store

SERVER = "BLOCKONSET_TEST_DSN"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An embedded store."""
    opened = Store.open(f"chdb://{tmp_path_factory.mktemp('store')}")
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=["chdb", pytest.param("server", marks=pytest.mark.server)])
def any_store(request, tmp_path_factory):
    """An embedded store, and one on the ClickHouse server that BLOCKONSET_TEST_DSN names."""
    if request.param == "chdb":
        opened = Store.open(f"chdb://{tmp_path_factory.mktemp('store')}")
        yield opened
        opened.close()
        return
    server = os.environ.get(SERVER)
    if not server:
        pytest.skip(f"{SERVER} names no ClickHouse server")
    database = f"blockonset_test_{secrets.token_hex(4)}"
    opened = Store.open(f"{server.rstrip('/')}/{database}")
    yield opened
    opened.execute("DROP DATABASE {database:Identifier}", database=database)
    opened.close()
