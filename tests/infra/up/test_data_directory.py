"""A data directory belongs to one subject and is used by one `up` at a time."""

import json
import subprocess
import sys

import pytest

from infra.up.data_directory import DataDirectory, RunningUp
from probe.base.errors import UserError


def test_zero_time_survives_a_second_start(tmp_path):
    """The scenario's zero time is kept, so that a restart continues the scenario."""
    first = DataDirectory.open(tmp_path / "d", "lab quick", fresh=False)
    first.close()
    second = DataDirectory.open(tmp_path / "d", "lab quick", fresh=False, lead_s=1000)
    assert second.mark.zero_ms == first.mark.zero_ms
    second.close()


def test_fresh_empties_the_directory_and_sets_a_new_zero(tmp_path):
    """--fresh leaves nothing of the earlier run."""
    first = DataDirectory.open(tmp_path, "lab quick", fresh=False)
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "rows").write_text("old")
    first.close()
    again = DataDirectory.open(tmp_path, "lab quick", fresh=True, lead_s=1000)
    assert again.mark.zero_ms > first.mark.zero_ms
    assert not (tmp_path / "store").exists()
    again.close()


def test_fresh_never_empties_somebody_elses_directory(tmp_path):
    """A directory without Blockonset's mark file is refused, and its files stay."""
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        DataDirectory.open(tmp_path, "lab quick", fresh=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_second_up_is_refused(tmp_path):
    """The error names the pid and the addresses of the `up` that runs."""
    first = DataDirectory.open(tmp_path, "lab quick", fresh=False)
    first.announce(RunningUp(pid=4711, api="http://127.0.0.1:1", dashboard="http://127.0.0.1:2"))
    with pytest.raises(UserError, match=r"4711.*http://127\.0\.0\.1:2"):
        DataDirectory.open(tmp_path, "lab quick", fresh=False)
    first.close()
    DataDirectory.open(tmp_path, "lab quick", fresh=False).close()


def test_a_killed_holder_locks_nobody_out(tmp_path):
    """The lock is released when the process ends, even on kill -9."""
    code = (
        "import sys, time; from pathlib import Path; from infra.up.data_directory import DataDirectory;"
        "p = DataDirectory.open(Path(sys.argv[1]), 'lab quick', fresh=False); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match="already running"):
            DataDirectory.open(tmp_path, "lab quick", fresh=False)
        holder.kill()
    DataDirectory.open(tmp_path, "lab quick", fresh=False).close()


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("not json", "can't be read"),
        (json.dumps({"format": 99, "subject": "lab quick", "zero_ms": 1}), "newer"),
        (json.dumps({"format": 1, "subject": "lab other", "zero_ms": 1}), "belongs to 'lab other'"),
    ],
)
def test_a_wrong_mark_file_is_an_error(tmp_path, mark, message):
    """An unreadable, newer or foreign mark file raises an error that names it, and stays unchanged."""
    (tmp_path / "blockonset.json").write_text(mark)
    with pytest.raises(UserError, match=message):
        DataDirectory.open(tmp_path, "lab quick", fresh=False)
    assert (tmp_path / "blockonset.json").read_text() == mark


def test_a_path_that_cannot_be_a_directory_is_named(tmp_path):
    """If a file is in the way, the error names the path and what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/data.*--data"):
        DataDirectory.open(tmp_path / "file" / "data", "lab quick", fresh=False)
