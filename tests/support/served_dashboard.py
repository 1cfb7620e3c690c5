"""The dashboard, served by the shipped command."""

import contextlib
import json
import signal
import subprocess
import sys


@contextlib.contextmanager
def served_dashboard(api, stderr=subprocess.DEVNULL):
    """The dashboard's URL and its process, for the time of a block."""
    command = [sys.executable, "-m", "probe", "dashboard", "--api", api, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        yield json.loads(process.stdout.readline())["dashboard"], process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        process.stdout.close()
