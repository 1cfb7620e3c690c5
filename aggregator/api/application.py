"""The application class, for an API that is only read: HEAD beside GET, and no pages of the framework's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from litestar import Litestar, Router
from litestar.enums import ScopeType

if TYPE_CHECKING:
    from litestar.types import HTTPScope, LifeSpanReceive, LifeSpanScope, LifeSpanSend, Message, Receive, Scope, Send


class ReadOnlyApi(Litestar):
    """An application that answers HEAD as it answers GET, without the body.

    Litestar itself refuses HEAD where a handler is for GET, and takes no body from a handler for HEAD.
    """

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        """Answer one connection, as ASGI defines it."""
        if scope["type"] != ScopeType.HTTP:
            await super().__call__(scope, receive, send)
            return
        is_head = cast("HTTPScope", scope)["method"] == "HEAD"

        async def send_answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(n, _with_head(v) if n.lower() == b"allow" else v) for n, v in message["headers"]]
            elif message["type"] == "http.response.body" and is_head:
                message["body"] = b""
            await send(message)  # type: ignore[arg-type]  # the scope is of HTTP, so both are of HTTP

        asked: Any = {**scope, "method": "GET"} if is_head else scope
        await super().__call__(asked, receive, send_answer)


def _with_head(allow: bytes) -> bytes:
    """The value of a header Allow, in order of the alphabet, with HEAD wherever GET is allowed."""
    methods = set(allow.decode("latin-1").split(", "))
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods)).encode("latin-1")


class NoRoutes(Router):
    """A router that stays empty: given to Litestar for its own OpenAPI pages, so that there are none.

    Among them is a page for every unknown path below theirs, which is HTML and no problem detail.
    """

    def register(self, value: Any) -> list[Any]:
        """Ignore a route."""
        del value
        return []
