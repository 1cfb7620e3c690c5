"""An invite: one line from the operator to a volunteer, with all that a probe must know to begin.

It names the collectors, the operator's public key (whose watches and receipts the probe trusts from then on) and
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

WHAT = "blockonset1"
_ORDER = ("tls://", "wss://", "nats://", "ws://")
"""TLS first; a WebSocket where that is blocked; without TLS only on the operator's own machine."""


class Invite(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What stands in an invite, and who signed it."""

    nats: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=16)]
    """URLs of the collectors."""
    watch: str
    """Where the signed watch is: an http(s) URL or a file's path."""
    api: str = ""
    """URL of the public API, if there is one."""
    whoami: str = ""
    """URL that tells a caller which network it is in, if there is one."""
    operator: str = ""
    """The operator's public key: filled in from the signature on reading, and never taken from the body."""


def write(invite: Invite, operator: Key) -> str:
    """The line. Raises UserError for an invite that no probe could use."""
    _check(invite)
    body = msgspec.structs.replace(invite, nats=ordered(invite.nats), operator="")
    return signed_text.seal(WHAT, msgspec.json.encode(body), operator)


def read(line: str) -> Invite:
    """What an invite says. Raises UserError for one that is damaged, forged, or says nothing that can be used."""
    try:
        opened = signed_text.open(line, WHAT, "operator")
        invite = msgspec.json.decode(opened.body, type=Invite, strict=True)
    except signed_text.SignedTextError as e:
        raise UserError(f"invite: {e}") from e
    except msgspec.DecodeError as e:
        raise UserError(f"invite: {e}; it was made by another version: ask for a new one, or update Blockonset") from e
    _check(invite)
    return msgspec.structs.replace(invite, nats=ordered(invite.nats), operator=opened.signer_id)


def ordered(urls: tuple[str, ...]) -> tuple[str, ...]:
    """The URLs in the order in which they are tried: by transport, and within one as they were given."""
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
        raise UserError("invite: it does not say where the signed watch is")
    if invite.operator and not keys.is_id(invite.operator, "operator"):
        raise UserError("invite: operator is not a public key")
