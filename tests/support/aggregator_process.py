"""A real aggregator process for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request

from tests.support.factory import WATCH


class AggregatorProcess:
    """A running `blockonset aggregator` on a free port."""

    def __init__(self, directory, nats_url, *options):
        self.directory = directory
        self.log = directory / "aggregator.log"
        (directory / "watch.toml").write_bytes(WATCH)
        files = ["--watch", directory / "watch.toml", "--key", directory / "aggregator.key"]
        files += ["--operator-key", directory / "operator.key", "--store", f"chdb://{directory / 'store'}"]
        command = [sys.executable, "-m", "probe", "aggregator", "run", "--nats", nats_url, "--api-port", "0"]
        with self.log.open("ab") as err:
            self.process = subprocess.Popen(
                [*command, *map(str, files), *options], stdout=subprocess.PIPE, stderr=err, text=True
            )

    def url(self):
        """Wait until its API answers, and give its URL."""
        timer = threading.Timer(30, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        assert line, self.log.read_text()
        return json.loads(line)["api"]

    def get(self, url):
        """The JSON at a URL."""
        return json.loads(self.text(url))

    def text(self, url):
        """The text at a URL."""
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.read().decode()

    def kill(self):
        """Kill it, as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self._reap()

    def stop(self):
        """End it as its operator would. Returns the exit code."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
        self._reap()
        return self.process.returncode

    def _reap(self):
        self.process.communicate(timeout=30)
