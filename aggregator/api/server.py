"""The HTTP server under the API: its settings, and its answer to what is not HTTP."""

from __future__ import annotations

from typing import Any

import h11
import msgspec
import uvicorn
from litestar.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from aggregator.api.problems import MEDIA_TYPE, Problem

_SHUTDOWN_S = 3
"""How long open requests may take to finish once the server stops."""
_MAX_HEAD_BYTES = 64 * 1024
"""The longest request line with headers."""


class _Protocol(H11Protocol):
    """uvicorn's HTTP protocol, with a problem detail for a request that can't be parsed, and without an access log."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False  # uvicorn's setting holds only until something else in the process configures logging

    def send_400_response(self, msg: str) -> None:
        """Answer and close. `msg` is uvicorn's text for the log."""
        del msg
        if self.cycle is not None:
            self.cycle.disconnected = True  # the answer to the earlier part of the connection, if any, ends here
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            detail = f"not a valid HTTP request, or its line and headers are longer than {_MAX_HEAD_BYTES} bytes"
            body = msgspec.json.encode(Problem(title="Bad Request", status=400, detail=detail, instance=""))
            headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body))), ("Connection", "close")]
            for event in (
                h11.Response(status_code=400, headers=headers, reason="Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing. The API speaks no other protocol and ignores the wish for one, as HTTP allows."""


def config(app: ASGIApp, *, port: int = 0) -> uvicorn.Config:
    """The settings of the server. `port` on 127.0.0.1 is used where no socket is given; 0 is any free one.

    uvicorn's records reach the root logger, as this process configures logging. There is no access log, since it would
    hold callers' addresses.
    """
    return uvicorn.Config(
        app,
        port=port,
        http=_Protocol,
        ws="none",
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
