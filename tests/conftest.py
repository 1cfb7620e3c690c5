"""Rules for all tests: their ids, what may be skipped, and the order in which several processes run them."""

from __future__ import annotations

import logging
import os
import re

import pytest

from probe.base.logs import StderrHandler

KEY = re.compile(r"[UO][A-Z2-7]{54,}", re.IGNORECASE)
RUN_ORDER = (
    "tests/e2e/test_staggered.py",
    "tests/e2e/test_real_watch.py",
    "tests/infra/bench/",
    "tests/probe/",
    "tests/infra/",
    "tests/e2e/",
    "tests/dashboard/pages/",
    "tests/aggregator/test_service.py",
)
"""The order for several processes. The first takes minutes and is sensitive to timing, so tests that mostly wait run
beside it. Long tests come next and quick ones last, so that the processes finish together."""


def pytest_make_parametrize_id(val: object) -> str | None:
    """Replace random keys in test ids: every process must give a test the same id."""
    if isinstance(val, str) and KEY.search(val):
        return KEY.sub("KEY", val)
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With pytest-xdist, run the files in RUN_ORDER; in one process, in the order of the folders."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return next((n for n, start in enumerate(RUN_ORDER) if item.nodeid.startswith(start)), len(RUN_ORDER))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """In CI a test that is skipped is a failure, but for those that need a ClickHouse server."""
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("server") is None
    if skipped and os.environ.get("BLOCKONSET_CI"):
        report.outcome, report.longrepr = "failed", f"CI may not skip this: {call.excinfo.value}"
    return report


@pytest.fixture(autouse=True)
def _no_handler_of_the_command_line():
    """Remove the log handler that a command line, called by a test, adds to this process."""
    yield
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, StderrHandler)]:
        root.removeHandler(handler)
