"""`blockonset dashboard` on the command line."""

import json
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.support.served_dashboard import served_dashboard


def test_a_port_in_use_is_an_error():
    """The error names the option and the port, and the exit code is 2."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = str(held.getsockname()[1])
        command = [sys.executable, "-m", "probe", "dashboard", "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert f"--port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_api_address_that_is_no_url_is_an_error():
    """The error names the option and the value, and nothing is served."""
    command = [sys.executable, "-m", "probe", "dashboard", "--api", "localhost", "--port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "--api localhost" in ended.stderr


def test_it_serves_loopback_only_and_ends_on_a_signal(api):
    """One line on stdout, an answer on 127.0.0.1, no open port on other addresses, and exit code 0."""
    with served_dashboard(api) as (url, process):
        assert httpx.get(f"{url}/_stcore/health").text == "ok"
        others = {i[4][0] for i in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
        for address in others:
            with pytest.raises(OSError), socket.create_connection((address, httpx.URL(url).port), timeout=2):
                pass
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout.read() == ""


def test_streamlits_lines_are_logged_as_all_others_are(api, tmp_path):
    """It starts and ends without a word; and what a logger of Streamlit writes is one line of JSON."""
    with (tmp_path / "log").open("w") as log, served_dashboard(api, log) as (url, _):
        assert httpx.get(f"{url}/_stcore/health").text == "ok"
    assert (tmp_path / "log").read_text() == ""
    code = (
        "from streamlit import logger; old = logger.get_logger('streamlit.old')\n"
        "from dashboard import cli; from probe.base import logs; logs.setup()\n"
        "cli.log_as_others_do()\n"
        "old.warning('old'); logger.get_logger('streamlit.new').warning('new')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["old", "new"]
