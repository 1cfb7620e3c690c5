"""The spool on a disk that is full."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from probe.base.clock import now_ms
from probe.custody.spool import Spool
from probe.custody.spool_lock import SpoolError
from probe.protocol.keys import Key
from tests.support.factory import app_run


def _until_refused(spool):
    for _ in range(400):
        spool.add(app_run(40))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0 or not shutil.which("mount"), reason="needs root to mount")
def test_a_full_disk_refuses_a_run_and_keeps_unsent_segments(tmp_path):
    """On a file system of 1 MB sealed segments stay whole, and runs are accepted again once there is room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], check=False).returncode:
        pytest.skip("this root may not mount")
    try:
        spool, key = Spool(disk / "spool.db"), Key.create("user")
        ballast = disk / "ballast"
        for _ in range(5):
            spool.add(app_run(40))
            spool.seal_due(key, now_ms(), 0)
        ballast.write_bytes(b"x" * (shutil.disk_usage(disk).free - 60_000))
        with pytest.raises(SpoolError, match="make room"):
            _until_refused(spool)
        assert len(spool.unsent()) >= 5
        ballast.unlink()
        spool.add(app_run(1))
        spool.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
