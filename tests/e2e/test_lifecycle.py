"""Starting, stopping, killing and restarting the one command."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.stack import alive

pytestmark = pytest.mark.timeout(240)


def run(*arguments, timeout=60):
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "probe", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )


def test_kill_9_of_the_aggregator_loses_nothing_and_doubles_nothing(up):
    """Killed twice during ingest, it is restarted, and no measurement is lost or stored twice."""
    one = up("--lab", "quick", "--for", "24", "--json", "--no-dashboard")
    one.addresses()
    for pause_s in (3, 4):  # early, because a busy machine needs time to restart it and to ingest the backlog
        time.sleep(pause_s)
        os.kill(one.children()["aggregator"], signal.SIGKILL)
    report = json.loads(one.finish())
    c = report["custody"]
    assert c["sealed"] > 100
    assert (c["stored"], c["rejected"], c["spooled"]) == (c["sealed"], 0, 0)
    doubles = _query(one.data, "SELECT count() - uniqExact(measurement_id) AS n FROM measurements")
    stored = _query(one.data, "SELECT count() AS n FROM measurements")
    assert (doubles, stored) == (0, c["sealed"])


def _query(data, sql):
    """One number from the store, after the aggregator has ended."""
    code = (
        "import sys, clickhouse_connect as c; from pathlib import Path;"
        "client = c.get_client(interface='chdb', path=sys.argv[1]);"
        "print(client.query(sys.argv[2]).result_rows[0][0])"
    )
    store = next(p for p in (data / "store", data / "store" / "chdb") if p.is_dir())
    out = subprocess.run(
        [sys.executable, "-c", code, str(store), sql], capture_output=True, text=True, timeout=60, check=True
    )
    return int(out.stdout)


def test_ctrl_c_leaves_nothing_and_a_second_start_continues(up, tmp_path):
    """All processes end; the next start keeps the zero time and the earlier measurements."""
    one = up("--lab", "quick")
    api = one.addresses()["api"]
    mark = json.loads((one.data / "blockonset.json").read_text())
    deadline = time.monotonic() + 30
    while not (measured := _measured(one, api)):
        assert time.monotonic() < deadline, "no answer came"
        time.sleep(0.5)
    family = one.family()
    assert len(family) >= 5
    assert one.interrupt() in (0, 130)
    assert alive(family) == []

    two = up("--lab", "quick", "--no-dashboard", data=one.data)
    api = two.addresses()["api"]
    assert json.loads((two.data / "blockonset.json").read_text()) == mark
    deadline = time.monotonic() + 30
    while _measured(two, api) <= measured:
        assert time.monotonic() < deadline, "no measurement was added"
        time.sleep(0.5)

    second = run("up", "--lab", "quick", "--data", str(two.data), "--api-port", "0", "--no-dashboard")
    assert second.returncode != 0
    assert "already running" in second.stderr
    assert str(two.process.pid) in second.stderr
    assert "Traceback" not in second.stderr


def _measured(one, api):
    entries = one.get(f"{api}/v1/watches/lab-quick/onsets")["providers"]
    return sum(p["answer"]["measurements"] for p in entries if p["answer"])


def test_the_next_up_ends_what_a_killed_up_left_running(up):
    """After a kill -9, the next start works in the same directory, and the earlier processes are gone."""
    one = up("--lab", "quick", "--no-dashboard")
    one.addresses()
    family = one.family()
    one.process.kill()
    one.process.wait()
    two = up("--lab", "quick", "--no-dashboard", data=one.data)
    two.addresses()
    assert alive(family) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up"], "--lab staggered"),
        (["up", "--lab", "atlantis"], "atlantis"),
        (["up", "--watch", "no-such.toml"], "no-such.toml"),
        (["up", "--lab", "quick", "--for", "-1"], "--for"),
        (["up", "--lab", "quick", "--json"], "--for SECONDS"),
        (["up", "--lab", "quick", "--api-port", "99999", "--data", "{tmp}/d"], "--api-port 99999"),
        (["up", "--lab", "quick", "--data", "/proc/none", "--api-port", "0"], "/proc/none"),
    ],
)
def test_bad_input_is_named_and_refused(arguments, message, tmp_path):
    """An error on stderr that names the option or file, exit code not 0, no traceback."""
    done = run(*[a.replace("{tmp}", str(tmp_path)) for a in arguments])
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_port_in_use_is_named(tmp_path):
    """The option and the port are in the message."""
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        done = run("up", "--lab", "quick", "--data", str(tmp_path / "d"), "--api-port", str(port), "--no-dashboard")
    assert done.returncode != 0
    assert f"--api-port {port}" in done.stderr
