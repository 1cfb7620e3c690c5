"""An application behind a real socket, in a thread of this process."""

import threading
import time
from contextlib import contextmanager

import uvicorn

from aggregator.api.server import config


@contextmanager
def serving(app):
    """Gives the URL at which the application answers."""
    server = uvicorn.Server(config(app))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended while starting"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)
