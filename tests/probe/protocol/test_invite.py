"""Invites, and what is wrong with bad ones."""

from __future__ import annotations

import binascii

import pytest

from probe.base.errors import UserError
from probe.protocol import invite, signed_text
from probe.protocol.keys import Key
from tests.support.owned_probe import OPERATOR


@pytest.fixture
def invite_line():
    """A valid invite."""
    return invite.write(
        invite.Invite(nats=("wss://c.example", "tls://c.example:443"), watch="https://c.example/watch.signed"), OPERATOR
    )


def test_an_invite_lists_the_transports_in_order_of_preference(invite_line):
    """TLS before the WebSocket; the operator is the one whose key signed it."""
    found = invite.read(f"  {invite_line[:50]}\n{invite_line[50:]} ")
    assert found.nats == ("tls://c.example:443", "wss://c.example")
    assert found.operator == OPERATOR.id


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t[:-20], "copied whole"),
        (lambda t: t.replace("blockonset1", "blockonset2"), "blockonset1: is needed"),
        (lambda t: t[:30] + ("A" if t[30] != "A" else "B") + t[31:], "damaged"),
        (lambda t: "x" * 9000, "copied whole"),
        (lambda t: "", "copied whole"),
        (lambda _: signed_text.seal("blockonset1", b'{"nats":[],"watch":"w"}', OPERATOR), "length >= 1"),
        (lambda _: signed_text.seal("blockonset1", b'{"nats":["http://x"],"watch":"w"}', OPERATOR), "must begin with"),
        (
            lambda _: signed_text.seal("blockonset1", b'{"nats":["tls://x"],"watch":""}', OPERATOR),
            "where the signed watch",
        ),
        (lambda _: signed_text.seal("blockonset1", b"\xff{", OPERATOR), "invite: "),
    ],
)
def test_each_defect_of_an_invite_is_named(invite_line, change, says):
    """Cut off, mistyped, of another version, or with invalid contents."""
    with pytest.raises(UserError, match=says):
        invite.read(change(invite_line))


def test_a_forged_invite_is_found_by_its_signature(invite_line):
    """Its checksum is right: that protects against accidents only."""
    what, rest = invite_line.split(":", 1)
    body, proof, _ = rest.split(".")
    other = signed_text.seal("blockonset1", b'{"nats":["tls://evil"],"watch":"w"}', Key.create("operator")).split(":")[
        1
    ]
    text = f"{what}:{other.split('.')[0]}.{proof}"
    with pytest.raises(UserError, match="signature is wrong"):
        invite.read(f"{text}.{binascii.crc32(text.encode()):08x}")
    assert body
