"""A crash leaves no core dump."""

from __future__ import annotations

import signal
import subprocess
import sys


def test_a_crash_leaves_no_core_dump():
    """Even where this user's processes may leave some."""
    code = "import os, resource\nhard = resource.getrlimit(resource.RLIMIT_CORE)[1]\n"
    code += "resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))\nfrom probe.base import core_dumps\n"
    code += "core_dumps.forbid()\nprint(resource.getrlimit(resource.RLIMIT_CORE), flush=True)\nos.abort()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout, run.returncode) == ("(0, 0)\n", -signal.SIGABRT)
