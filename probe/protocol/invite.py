"""An invite: one line from the operator to a volunteer, with everything that a probe needs to start.

It names the collectors, the operator's public key (the probe then trusts watches and receipts that it signed) and
where the signed watch is. It holds no secret: the probe makes its own key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from probe.base.errors import UserError
from probe.protocol import keys, signed_text
from probe.protocol.collector_urls import SCHEMES

if TYPE_CHECKING:
    from probe.protocol.keys import Key

LABEL = "blockonset1"
_ORDER = ("tls://", "wss://", "nats://", "ws://")
"""TLS first, then a WebSocket, in case TLS is blocked. The others are meant for the operator's own machine only."""


class Invite(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The contents of an invite, and who signed it."""

    nats: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=16)]
    """URLs of the collectors."""
    watch: str
    """Where the signed watch is: an http(s) URL or a file's path."""
    api: str = ""
    """URL of the public API, if there is one."""
    whoami: str = ""
    """URL that answers a caller with the number of its network, if there is one."""
    operator: str = ""
    """The operator's public key, filled in from the signature when an invite is read, never from the body."""


def write(invite: Invite, operator: Key) -> str:
    """The signed line of an invite. Raises UserError for an invite that no probe could use."""
    _check(invite)
    body = msgspec.structs.replace(invite, nats=ordered(invite.nats), operator="")
    return signed_text.seal(LABEL, msgspec.json.encode(body), operator)


def read(line: str) -> Invite:
    """The invite in a signed line. Raises UserError for one that is damaged, forged or unusable."""
    try:
        opened = signed_text.open(line, LABEL, "operator")
        invite = msgspec.json.decode(opened.body, type=Invite, strict=True)
    except signed_text.SignedTextError as e:
        raise UserError(f"invite: {e}") from e
    except msgspec.DecodeError as e:
        raise UserError(f"invite: {e}; it was made by another version: ask for a new one, or update Blockonset") from e
    _check(invite)
    return msgspec.structs.replace(invite, nats=ordered(invite.nats), operator=opened.signer_id)


def ordered(urls: tuple[str, ...]) -> tuple[str, ...]:
    """The URLs in the order in which they are tried: by scheme (`_ORDER`), and within a scheme as they were given."""
    return tuple(sorted(urls, key=lambda u: next(i for i, s in enumerate(_ORDER) if u.startswith(s))))


def _check(invite: Invite) -> None:
    for url in invite.nats:
        if not url.startswith(SCHEMES):
            raise UserError(f"invite: collector {url!r} must begin with one of {', '.join(SCHEMES)}")
    for key in ("api", "whoami"):
        value = getattr(invite, key)
        if value and not value.startswith(("https://", "http://")):
            raise UserError(f"invite: {key} {value!r} must begin with https:// or http://")
    if not invite.watch:
        raise UserError("invite: watch is empty: it must say where the signed watch is")
    if invite.operator and not keys.is_id(invite.operator, "operator"):
        raise UserError("invite: operator is not a public key")
