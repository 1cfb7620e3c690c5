"""What holds for all tests: their names, what may be skipped, and how several processes share them out."""

from __future__ import annotations

import os
import re

import pytest

KEY = re.compile(r"[UO][A-Z2-7]{54,}", re.IGNORECASE)
TOGETHER = (
    "tests/e2e/test_staggered.py",
    "tests/e2e/test_real_watch.py",
    "tests/infra/bench/",
    "tests/probe/",
    "tests/infra/",
    "tests/e2e/",
    "tests/dashboard/pages/",
    "tests/aggregator/test_service.py",
)
"""The order for several processes. The first lasts for minutes by the clock and is held to the clock: beside it come
tests that wait more than they compute. Then what takes long; what is quick at the end, so that all end together."""


def pytest_make_parametrize_id(val: object) -> str | None:
    """A key is another one in every process; the name of a test isn't."""
    if isinstance(val, str) and KEY.search(val):
        return KEY.sub("KEY", val)
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several processes (pytest-xdist) take the files in an order of their own; one alone in the folders'."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return next((n for n, start in enumerate(TOGETHER) if item.nodeid.startswith(start)), len(TOGETHER))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """In CI a test that is skipped is a failure, but for those that need a ClickHouse server."""
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("server") is None
    if skipped and os.environ.get("BLOCKONSET_CI"):
        report.outcome, report.longrepr = "failed", f"CI may not skip this: {call.excinfo.value}"
    return report
