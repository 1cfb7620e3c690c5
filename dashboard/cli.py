"""`blockonset dashboard`: serve the pages on loopback."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn
from urllib.parse import urlsplit

from cyclopts import App, CycloptsError, Parameter

if TYPE_CHECKING:
    from typing import TextIO

app = App(name="dashboard", help="Show a watch's answers, live, in a browser.")

API_VARIABLE = "BLOCKONSET_DASHBOARD_API"
"""Also passes the URL on to the pages, which Streamlit runs as scripts."""
VARIABLES = (API_VARIABLE,)

_HOST = "127.0.0.1"
_READY_WITHIN_S = 60.0
_NEEDED = ("altair", "httpx", "streamlit")
"""Modules that the pages import, when the first visitor comes; a missing one is reported at the start instead."""

OPTIONS: dict[str, object] = {
    "server.address": _HOST,
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": False,
    "browser.gatherUsageStats": False,
    "logger.hideWelcomeMessage": True,
    "runner.magicEnabled": False,
    "runner.fastReruns": False,  # otherwise a page that updates itself often might never finish
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "theme.font": "sans-serif",
    "theme.headingFont": "serif",
    "theme.headingFontWeights": [600, 600, 600],
    "theme.headingFontSizes": ["2.1rem", "1.5rem", "1.15rem"],
    "theme.baseRadius": "small",
    "theme.light.primaryColor": "#0b5a86",
    "theme.light.backgroundColor": "#fcfbf8",
    "theme.light.secondaryBackgroundColor": "#f1efe9",
    "theme.light.textColor": "#1d2126",
    "theme.light.linkColor": "#0b5a86",
    "theme.dark.primaryColor": "#7cc4ec",
    "theme.dark.backgroundColor": "#12161b",
    "theme.dark.secondaryBackgroundColor": "#1c222a",
    "theme.dark.textColor": "#e9e6df",
    "theme.dark.linkColor": "#7cc4ec",
}
"""Streamlit's settings, by their names in its own configuration; none are read from where the command is run."""


@app.default
def serve(
    *,
    api: Annotated[
        str, Parameter(help="The URL of the aggregator's API.", env_var=API_VARIABLE)
    ] = "http://127.0.0.1:8601",
    port: Annotated[int, Parameter(help="The dashboard's port; 0 picks a free one.")] = 8501,
) -> None:
    """Serve the dashboard on 127.0.0.1 until Ctrl-C or SIGTERM.

    Prints {"dashboard": URL} as one line once it answers.
    """
    parts = urlsplit(api)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        _refuse(f"--api {api}: not a URL such as http://127.0.0.1:8601")
    os.environ[API_VARIABLE] = api.rstrip("/")
    bound = _free(port)
    for module in _NEEDED:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(name=module)
    from streamlit.runtime.pages_manager import PagesManager  # noqa: PLC0415 - takes a second: --help need not wait
    from streamlit.web import bootstrap  # noqa: PLC0415

    log_as_others_do()
    PagesManager.uses_pages_directory = False  # otherwise a page's own address would run it without app.py

    threading.Thread(target=_announce, args=(bound, sys.stdout), daemon=True).start()
    options = {name.replace(".", "_"): value for name, value in OPTIONS.items()} | {"server_port": bound}
    with Path(os.devnull).open("w") as nothing, contextlib.redirect_stdout(nothing):  # stdout has one line of JSON
        bootstrap.load_config_options(options)
        bootstrap.run(str(Path(__file__).with_name("app.py")), is_hello=False, args=[], flag_options=options)


def log_as_others_do() -> None:
    """Let the lines of Streamlit and of its server go to the handler of all other lines, instead of to their own."""
    from streamlit import logger  # noqa: PLC0415
    from uvicorn.config import LOGGING_CONFIG  # noqa: PLC0415 - Streamlit's server, which takes this by default

    logger.setup_formatter = _use_root_handler
    logger.update_formatter()
    LOGGING_CONFIG["loggers"].clear()


def _use_root_handler(logger: logging.Logger) -> None:
    """What Streamlit calls for each of its loggers."""
    if handler := logger.__dict__.pop("streamlit_console_handler", None):
        logger.removeHandler(handler)
    logger.propagate = True


def _free(port: int) -> int:
    """The port itself if it is free, or a free one for 0. Exits with a message if it can't be used."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((_HOST, port))
        except (OSError, OverflowError) as e:
            why = getattr(e, "strerror", None) or e
            _refuse(f"--port {port}: can't be used ({why}). Choose another port, or 0 for any free one.")
        return int(s.getsockname()[1])


def _announce(port: int, out: TextIO) -> None:
    """Wait until the server listens, then print its address as JSON to `out`."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
            out.write(json.dumps({"dashboard": f"http://{_HOST}:{port}"}) + "\n")
            out.flush()
            importlib.import_module("altair")  # takes a second; done now, the first visitor doesn't wait for it
            return
        time.sleep(0.05)


def _refuse(message: str) -> NoReturn:
    """Raise an error that the command line prints in one line: the dashboard imports no other package's UserError."""
    raise CycloptsError(msg=message)
