"""`blockonset up`, started as a person would start it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import psutil


class Up:
    """A running `blockonset up` on free ports, in a data directory of its own."""

    def __init__(self, data, *options):
        self.data = data
        self.log = data.parent / f"{data.name}.up.log"
        command = [sys.executable, "-m", "probe", "up", "--data", str(data), "--api-port", "0", "--dashboard-port", "0"]
        with self.log.open("ab") as err:
            self.process = subprocess.Popen(
                [*command, *options], stdout=subprocess.PIPE, stderr=err, start_new_session=True, text=True
            )

    def addresses(self, within_s=60.0):
        """`{"api", "dashboard"}` once both answer."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(OSError, ValueError, KeyError):
                running = json.loads((self.data / "up.json").read_text())
                if running["pid"] != self.process.pid:  # left behind by a killed `up`, whose API may still answer
                    raise KeyError
                self.get(running["api"] + "/healthz")
                if running["dashboard"]:
                    with urllib.request.urlopen(running["dashboard"] + "/_stcore/health", timeout=5):
                        pass
                return running
            time.sleep(0.2)
        raise AssertionError(f"the stack did not answer within {within_s} s: {self.log.read_text()}")

    def get(self, url):
        """The JSON at a URL."""
        with urllib.request.urlopen(url, timeout=10) as response:
            return json.load(response)

    def children(self):
        """`{name: pid}` of the stack's processes, from its record file."""
        return {p["name"]: p["pid"] for p in json.loads((self.data / "processes.json").read_text())}

    def family(self):
        """The pids of all processes below `up`."""
        return [p.pid for p in psutil.Process(self.process.pid).children(recursive=True)]

    def finish(self, within_s=240.0):
        """Wait until it ends by itself with exit code 0, and return what it printed."""
        out, _ = self.process.communicate(timeout=within_s)
        assert self.process.returncode == 0, self.log.read_text()
        return out

    def interrupt(self, within_s=40.0):
        """Send Ctrl-C and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=within_s)
        return self.process.returncode

    def close(self):
        """End it and every process that it started."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.communicate(timeout=40)
            except subprocess.TimeoutExpired:
                for pid in self.family():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self.process.kill()
                self.process.communicate()
        self.process.stdout.close()


def alive(pids):
    """Those of the pids that still run."""
    return [p for p in pids if psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE]
