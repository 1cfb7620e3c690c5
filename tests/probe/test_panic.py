"""Panic stops a running probe and wipes its files, whatever state they are in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from probe import panic
from tests.support.fake_collector import eventually
from tests.support.owned_probe import probe_config, running_daemon, write_config

ROOT = Path(__file__).parents[2]


async def test_panic_stops_a_running_probe_and_leaves_nothing(tmp_path):
    """It is found by its lock and killed without a last delivery, and all of its files are removed."""
    settings = probe_config(tmp_path)
    directory = Path(settings.data)
    with running_daemon(write_config(tmp_path, settings)) as process:
        await eventually(lambda: panic.running(directory) == process.pid, 20)
        did = panic.panic(directory)
        assert process.wait(5) == -signal.SIGKILL
    assert (did.pid, did.stopped, did.failed, did.left) == (process.pid, True, (), ())
    assert panic.panic(directory).files == ()


def test_the_lock_files_process_id_is_not_trusted_without_the_lock(tmp_path):
    """The file names a living process that is not the probe: it is not killed."""
    (tmp_path / "spool.lock").write_text(str(os.getpid()))
    assert panic.running(tmp_path) == 0
    assert panic.panic(tmp_path).pid == 0


def test_panic_needs_only_the_standard_library(own_home):
    """It wipes without any installed package and with a configuration that can't be parsed."""
    directory = own_home / "home"
    directory.mkdir()
    for name in ("probe.key", "spool.db", "spool.db-wal", "probe.toml", "paused.json", ".state.json.123"):
        (directory / name).write_bytes(b"secret" * 100)
    code = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[1:] = []\n"
    code += "runpy.run_module('probe.panic', run_name='__main__')"
    other = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        env={"BLOCKONSET_PROBE_HOME": str(directory)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert other.returncode == 0, other.stderr
    assert not directory.exists()
    assert "spool.db-wal" in other.stdout


def test_wiping_overwrites_and_a_link_is_removed_not_followed(tmp_path):
    """The target of a symbolic link is left alone; contents reachable by a hard link are overwritten."""
    victim, link = tmp_path / "victim", tmp_path / "probe.key"
    victim.write_text("mine")
    link.symlink_to(victim)
    did = panic.panic(tmp_path)
    assert victim.read_text() == "mine"
    assert did.files == (str(link),)
    assert did.left == (str(victim),)
    hard = tmp_path / "hard"
    (tmp_path / "spool.db").write_bytes(b"x" * 3_000_000)
    hard.hardlink_to(tmp_path / "spool.db")
    panic.panic(tmp_path)
    assert hard.read_bytes() == bytes(3_000_000)
