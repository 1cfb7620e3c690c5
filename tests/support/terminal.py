"""Runs a command with a pseudo-terminal as its stdout and stderr."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def shown(*command, **environment):
    """What `python …` writes to a terminal, and its exit code. Only these variables and the PATH are set."""
    own, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *command], stdin=other, stdout=other, stderr=other, cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(other)
    chunks = []
    while True:
        try:
            chunk = os.read(own, 65536)
        except OSError:  # Linux's way to say that nobody writes any more
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(own)
    return b"".join(chunks).decode(), process.wait()
