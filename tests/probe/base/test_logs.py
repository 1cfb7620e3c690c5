"""Logs are JSON lines on stderr where nobody watches."""

import json

import structlog

from probe.base import logs


def test_logs_go_to_stderr_as_json_above_their_level(capsys):
    """Stdout stays free for answers."""
    logs.setup("warning")
    try:
        log = structlog.get_logger()
        log.info("unheard")
        log.warning("heard", segment="a")
        out, err = capsys.readouterr()
    finally:
        structlog.reset_defaults()
    line = json.loads(err)
    assert out == ""
    assert (line["event"], line["segment"], line["level"]) == ("heard", "a", "warning")
