"""A file lock has one holder at a time, whose note others can read."""

import subprocess

import pytest

from probe.base import lock
from probe.base.lock import FileLock, LockHeldError


def test_a_held_lock_is_refused_with_the_holders_note(tmp_path):
    """Until it is released; releasing twice does no harm."""
    file = tmp_path / "a.lock"
    held = FileLock(file, "process 7")
    with pytest.raises(LockHeldError) as refused:
        FileLock(file, "process 8")
    assert refused.value.note == "process 7" == lock.holder(file)
    held.release()
    held.release()
    assert lock.holder(file) is None
    FileLock(file, "8").release()
    assert file.read_text() == "8"


def test_a_child_process_that_inherits_the_lock_holds_it_too(tmp_path):
    """It is free when both have closed it. The note can be replaced by a longer and by a shorter one."""
    file = tmp_path / "a.lock"
    held = FileLock(file, "7")
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(held.fileno(),))
    held.write_note("7 and 8")
    held.release()
    assert lock.holder(file) == "7 and 8"
    child.communicate()
    assert lock.holder(file) is None
    again = FileLock(file, "process 7")
    again.write_note("9")
    assert lock.holder(file) == "9"
    again.release()


def test_a_note_without_a_lock_is_ignored(tmp_path):
    """A dead process leaves one behind."""
    assert lock.holder(tmp_path / "missing.lock") is None
    (tmp_path / "old.lock").write_text("7")
    assert lock.holder(tmp_path / "old.lock") is None


def test_a_file_that_can_not_be_opened_raises(tmp_path):
    """The caller names it."""
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "missing" / "a.lock")
