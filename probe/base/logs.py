"""Sets up logging to stderr: text for a person at a terminal, JSON lines otherwise. stdout is for a command's output.

Nothing that identifies a volunteer may be logged: no address of the line, no host name.
"""

from __future__ import annotations

import logging
import sys

import structlog


def setup(level: str = "info") -> None:
    """Configure structlog for this process. `level` is debug, info, warning or error.

    The case of the name does not matter; an unknown name means `info`.
    """
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    renderers: list[structlog.typing.Processor]
    if sys.stderr.isatty():
        renderers = [structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False), structlog.dev.ConsoleRenderer()]
    else:
        renderers = [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),  # read at each call: tests replace it
    )
    logging.basicConfig(stream=sys.stderr, level=max(number, logging.WARNING), format="%(name)s: %(message)s")
