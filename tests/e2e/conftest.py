"""Whole stacks for the end-to-end tests."""

import pytest

from tests.support.stack import Up


@pytest.fixture
def up(tmp_path):
    """A function that starts a stack; all stacks are ended after the test."""
    started = []

    def start(*options, data=None):
        started.append(Up(data or tmp_path / "data", *options))
        return started[-1]

    yield start
    for one in started:
        one.close()
