"""Logs are JSON lines on stderr when that is not a terminal."""

import json

import structlog

from probe.base import logs


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
