"""`blockonset dashboard`: serve the pages on loopback."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from typing import TextIO

app = App(name="dashboard", help="Show a watch's answers, live, in a browser.")

_HOST = "127.0.0.1"
_READY_WITHIN_S = 60.0

OPTIONS: dict[str, object] = {
    "server.address": _HOST,
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": False,
    "browser.gatherUsageStats": False,
    "runner.magicEnabled": False,
    "runner.fastReruns": False,  # a page that updates itself often must still come to its end
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
    api: Annotated[str, Parameter(help="Where the aggregator's API answers.")] = "http://127.0.0.1:8601",
    port: Annotated[int, Parameter(help="0 picks a free one.")] = 8501,
) -> None:
    """Serve the dashboard on 127.0.0.1 until told to stop (Ctrl-C, SIGTERM).

    Prints {"dashboard": URL} on a line of its own once it answers.
    """
    parts = urlsplit(api)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        _refuse(f"--api {api}: not an address such as http://127.0.0.1:8601")
    os.environ["BLOCKONSET_API"] = api.rstrip("/")
    bound = _free(port)
    from streamlit.runtime.pages_manager import PagesManager  # noqa: PLC0415 - takes a second: --help need not wait
    from streamlit.web import bootstrap  # noqa: PLC0415

    PagesManager.uses_pages_directory = False  # else the first visitor of a page's own address gets it without app.py

    threading.Thread(target=_announce, args=(bound, sys.stdout), daemon=True).start()
    options = {name.replace(".", "_"): value for name, value in OPTIONS.items()} | {"server_port": bound}
    with contextlib.redirect_stdout(sys.stderr):  # Streamlit greets on stdout, which is for our one line
        bootstrap.load_config_options(options)
        bootstrap.run(str(Path(__file__).with_name("app.py")), is_hello=False, args=[], flag_options=options)


def _free(port: int) -> int:
    """The port itself where it can be had, or a free one for 0."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((_HOST, port))
        except (OSError, OverflowError) as e:
            why = getattr(e, "strerror", None) or e
            _refuse(f"--port {port}: can't be used ({why}); name another, or 0 for any that is free")
        return int(s.getsockname()[1])


def _announce(port: int, out: TextIO) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
            out.write(json.dumps({"dashboard": f"http://{_HOST}:{port}"}) + "\n")
            out.flush()
            importlib.import_module("altair")  # takes a second, which the first visitor need not wait for
            return
        time.sleep(0.05)


def _refuse(message: str) -> None:
    """End with a message. The dashboard imports nothing of the other parts, their errors neither."""
    sys.stderr.write(f"blockonset dashboard: {message}\n")
    raise SystemExit(2)
