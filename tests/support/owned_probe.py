"""A volunteer's probe for the tests: its configuration, its command line and the public API that it asks."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from probe.cli import main
from probe.custody import watch_renewal
from probe.home.config import Config, VantageConfig
from probe.place.rtnetlink import Route
from probe.place.this_network import NetworkState
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.support.factory import APP_WATCH

ROOT = Path(__file__).parents[2]
OPERATOR = Key.create("operator")


def network_state(interface, gateway, mac=""):
    """A network with one default route."""
    return NetworkState((Route(4, interface, gateway, "192.168.1.7"),), mac)


HOME = network_state("wlan0", "192.168.1.1", "02:00:5e:10:20:30")
PHONE = network_state("wlan0", "172.20.10.1", "02:00:5e:10:20:31")


def probe_config(tmp_path, **settings):
    """A probe's configuration, with its key and its signed watch in place."""
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "watch.signed").write_bytes(watch_file.sign(APP_WATCH.format(cadence_s=600).encode(), OPERATOR))
    made = Config(
        data=str(tmp_path / "probe"), watch=str(tmp_path / "watch.signed"), operator=OPERATOR.id,
        **({"nats": ("nats://127.0.0.1:1",), "flush_s": 0.2, "vantage": VantageConfig(asn=64500)} | settings),
    )  # fmt: skip
    Key.load_or_create(made.key_file, "user")
    return made


def write_config(tmp_path, settings):
    """The same configuration as a file."""
    file = tmp_path / "probe.toml"
    file.write_text(
        f'data = "{settings.data}"\nwatch = "{settings.watch}"\nnats = {json.dumps(settings.nats)}\n'
        f'operator = "{settings.operator}"\nflush_s = 0.2\nmetered = "yes"\n[vantage]\nasn = 64500\n'
    )
    return file


def watch_of(settings):
    """The watch of a configuration."""
    return watch_renewal.signed_watch(Path(settings.watch), settings.operator)


def run_command(capsys, *words):
    """The exit code, stdout and stderr of `blockonset probe …`."""
    try:
        main.main(["probe", *map(str, words)])
    except SystemExit as e:
        code = e.code or 0
    else:
        code = 0
    return code, *capsys.readouterr()


@contextlib.contextmanager
def public_api(answer):
    """A public API that always gives one answer: its URL, and the paths and headers of its requests."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append((self.path, dict(self.headers)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_):
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def running_daemon(file):
    """`blockonset probe run` in a process of its own. Its connection is metered: it contacts nothing."""
    process = subprocess.Popen(
        [sys.executable, "-m", "probe", "probe", "run", "--config", str(file)], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert json.loads(process.stdout.readline()).keys() == {"probe"}
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
