"""Private files are written whole or not at all, and only their owner can read them."""

import stat

import pytest

from probe.base import private_file
from probe.base.errors import UserError


def test_a_file_is_replaced_whole_and_private(tmp_path):
    """No draft is left beside it, and its directory is made."""
    file = tmp_path / "new" / "state.json"
    private_file.write(file, b"old")
    private_file.replace(file, b"new")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_an_existing_file_is_never_overwritten_by_create(tmp_path):
    """A key must not be lost."""
    file = tmp_path / "probe.key"
    private_file.create(file, b"first")
    private_file.create(file, b"second")
    assert file.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_can_not_be_written_is_named(tmp_path):
    """And no draft is left."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(UserError, match="taken: can't be written"):
        private_file.write(tmp_path / "taken", b"x")
    assert [f.name for f in tmp_path.iterdir()] == ["taken"]
