"""Logs are JSON lines on stderr when that is not a terminal, whoever writes them; text at a terminal."""

import asyncio
import json
import logging
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import structlog

from probe.base import logs
from tests.support.terminal import shown

ROOT = Path(__file__).parents[3]
WRITES = """
import logging, warnings, structlog
from probe.base import logs
logs.setup()
structlog.get_logger().warning("one of ours", segment="a")
logging.getLogger("nats.aio").error("one of %s", "nats")
warnings.warn("one of warnings", stacklevel=1)
"""


def fails():
    """Raises what a refused connection raises."""
    raise OSError("connection from ('192.168.1.7', 51000) or 2001:db8::7 to 127.0.0.1:4222 failed")


@pytest.fixture
def lines(capsys):
    """Reads what was logged as JSON; with it, logs are set up at `info`."""
    logs.setup("info")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    structlog.reset_defaults()


def test_logs_go_to_stderr_as_json_above_their_level(capsys):
    """Stdout has the command's output only."""
    logs.setup("warning")
    try:
        log = structlog.get_logger()
        log.info("below the level")
        log.warning("logged", segment="a")
        out, err = capsys.readouterr()
    finally:
        structlog.reset_defaults()
    line = json.loads(err)
    assert out == ""
    assert (line["event"], line["segment"], line["level"]) == ("logged", "a", "warning")


def test_lines_of_other_libraries_are_json_with_their_names(lines):
    """From warnings on."""
    logging.getLogger("nats.aio.client").info("not logged")
    logging.getLogger("nats.aio.client").warning("reconnecting to %s", "collector")
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "reconnecting to collector", "level": "warning", "logger": "nats.aio.client"}


def test_a_warning_of_python_is_one_json_line_without_its_file(lines):
    """`warnings.warn` writes two lines with a path otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = logs._log_warning
        warnings.warn("soon gone", DeprecationWarning, stacklevel=1)
    (line,) = lines()
    assert (line["event"], line["logger"]) == ("DeprecationWarning: soon gone", "py.warnings")
    assert str(ROOT) not in json.dumps(line)


def test_an_exception_is_a_field_with_modules_files_and_without_addresses(lines):
    """Of our own lines and of others'. No file of this machine can be recognised, and no address of the line."""
    for log in (structlog.get_logger().exception, logging.getLogger("asyncio").exception):
        try:
            fails()
        except OSError:
            log("failed")
    for line in lines():
        assert line["event"] == "failed"
        text = line["exception"]
        assert text.startswith("Traceback")
        assert "('[address]', 51000) or [address] to 127.0.0.1:4222" in text
        assert f'File "{Path(__file__).name}"' in text or 'File "tests/probe/base/test_logs.py"' in text
        assert str(ROOT) not in text


def test_no_address_is_logged_for_another_library(lines):
    """As asyncio logs a transport, with the line's own address."""
    logging.getLogger("asyncio").error("<_SelectorTransport laddr=('10.0.0.5', 5), raddr=('203.0.113.9', 443)>")
    assert lines()[0]["event"] == "<_SelectorTransport laddr=('[address]', 5), raddr=('[address]', 443)>"


async def test_what_asyncio_reports_is_json(lines):
    """An exception that nobody awaited."""
    asyncio.get_running_loop().call_exception_handler({"message": "lost", "exception": ValueError("x")})
    (line,) = lines()
    assert line["logger"] == "asyncio"
    assert line["event"].startswith("lost")
    assert line["exception"].endswith("ValueError: x")


def test_setting_up_again_does_not_repeat_lines(lines):
    """Commands set the level once more."""
    logs.setup("error")
    logging.getLogger("nats").warning("below")
    logging.getLogger("nats").error("once")
    assert [line["event"] for line in lines()] == ["once"]


def test_every_line_of_a_process_is_json_without_a_terminal():
    """Of structlog, of logging and of warnings."""
    done = subprocess.run([sys.executable, "-c", WRITES], cwd=ROOT, capture_output=True, text=True, check=True)
    found = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert found == ["one of ours", "one of nats", "UserWarning: one of warnings"]


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_at_a_terminal_logs_are_text_and_in_colour_unless_that_is_unwanted(environment, coloured):
    """NO_COLOR counts when it isn't empty."""
    text, code = shown("-c", WRITES, **environment)
    assert code == 0
    assert all(line in text for line in ("one of ours", "one of nats", "one of warnings"))
    assert ("\x1b" in text) == coloured
    assert "{" not in text
