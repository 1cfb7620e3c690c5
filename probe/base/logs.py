"""Sets up logging to stderr: text for a person at a terminal, JSON lines otherwise. stdout is for a command's output.

The lines of other libraries (Python's `logging` and `warnings`) have the same form. Nothing that identifies a volunteer
may be logged: no address of the line, no host name. What we don't write ourselves, which is other libraries' lines and
the tracebacks of exceptions, is therefore logged without IP addresses and without the directories of this machine.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

_V4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)"
_V6 = r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:%\w+)?(?![\w:])"
_ADDRESS = re.compile(f"{_V4}|{_V6}")
_LOOPBACK = re.compile(r"127\.|::1$")
_FILE = re.compile(r'(?<=File ")[^"\n]+(?=")')


class StderrHandler(logging.Handler):
    """Writes to what `sys.stderr` is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - as every handler of the standard library does
            self.handleError(record)


def setup(level: str = "info") -> None:
    """Configure structlog, `logging` and `warnings` for this process. `level` is debug, info, warning or error.

    The case of the name does not matter; an unknown name means `info`. Of other libraries only warnings and errors are
    logged. At a terminal NO_COLOR, set to anything, leaves the colours out.
    """
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    renderers = _for_a_terminal() if sys.stderr.isatty() else _for_a_file()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),  # read at each call: tests replace it
    )
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, StderrHandler)]:
        root.removeHandler(handler)
    handler = StderrHandler(max(number, logging.WARNING))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.processors.add_log_level, _scrub_event],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root.addHandler(handler)
    warnings.showwarning = _log_warning


def has_colours() -> bool:
    """Whether text for a terminal may be coloured: see no-color.org."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _for_a_terminal() -> list[structlog.typing.Processor]:
    return [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(colors=has_colours(), exception_formatter=structlog.dev.plain_traceback),
    ]


def _for_a_file() -> list[structlog.typing.Processor]:
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _scrub_exception,
        structlog.processors.JSONRenderer(),
    ]


def _scrub_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The line of another library without addresses."""
    event["event"] = _scrubbed(str(event["event"]))
    return event


def _scrub_exception(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A traceback without addresses, and with files named as their modules are."""
    if isinstance(text := event.get("exception"), str):
        event["exception"] = _FILE.sub(lambda match: _within_packages(match[0]), _scrubbed(text))
    return event


def _scrubbed(text: str) -> str:
    return _ADDRESS.sub(lambda match: match[0] if _LOOPBACK.match(match[0]) else "[address]", text)


def _within_packages(file: str) -> str:
    """A source file's path from the directory of sys.path that it is in, such as `probe/net/dns.py`."""
    above = max((p for p in sys.path if p and file.startswith(f"{p.rstrip('/')}/")), key=len, default=None)
    return Path(file).name if above is None else Path(file).relative_to(above).as_posix()


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,  # noqa: ARG001 - here and below: the arguments of warnings.showwarning
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Log what `warnings.warn` was given."""
    logging.getLogger("py.warnings").warning("%s: %s", category.__name__, message)
