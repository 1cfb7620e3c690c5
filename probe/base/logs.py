"""Logs: to stderr, in words for a person at a terminal, as JSON lines for anything else.

stdout is for answers. Nothing that identifies a volunteer may be logged: no address of the line, no host name.
"""

from __future__ import annotations

import logging
import sys

import structlog


def setup(level: str = "info") -> None:
    """Configure structlog for this process. `level` is debug, info, warning or error.

    The level's name is taken without regard to case; an unknown one is `info`.
    """
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shape: list[structlog.typing.Processor]
    if sys.stderr.isatty():
        shape = [structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False), structlog.dev.ConsoleRenderer()]
    else:
        shape = [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, *shape],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),  # the one of now: it may be another later
    )
    logging.basicConfig(stream=sys.stderr, level=max(number, logging.WARNING), format="%(name)s: %(message)s")
