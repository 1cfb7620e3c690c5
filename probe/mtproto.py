"""The first words of MTProto, enough to know that a Telegram datacentre answers.

The client sends req_pq_multi with a random nonce, unencrypted; a datacentre answers resPQ with the same nonce.
After core.telegram.org/mtproto/auth_key and /mtproto/mtproto-transports. All integers are little-endian.
"""

from __future__ import annotations

import os
import struct
import time
from typing import Protocol

from probe.failures import EOF, Failed, unknown

REQ_PQ_MULTI = 0xBE7E8EF1
RES_PQ = 0x05162463
NONCE_BYTES = 16

_INTERMEDIATE_TAG = b"\xee\xee\xee\xee"
_LARGEST_REPLY = 4096
_ENVELOPE = struct.Struct("<qqi")  # auth_key_id (0: unencrypted), message id, bytes that follow


class Transport(Protocol):
    """One way of carrying MTProto messages over TCP, for one connection."""

    def first(self, message: bytes) -> bytes:
        """The bytes that open the connection and carry its first message."""

    def reply(self, raw: bytes) -> bytes | None:
        """The first message in what was received so far, or None when more bytes are needed.

        Raises Failed when no message can begin like this.
        """


class Intermediate:
    """A tag of four bytes, then each message after its length in four bytes."""

    def first(self, message: bytes) -> bytes:
        """The tag, the length, the message."""
        return _INTERMEDIATE_TAG + struct.pack("<I", len(message)) + message

    def reply(self, raw: bytes) -> bytes | None:
        """The message after its length."""
        if len(raw) < 4:
            return None
        (length,) = struct.unpack_from("<I", raw)
        if length > _LARGEST_REPLY:
            raise Failed(unknown("not the intermediate transport"))
        return raw[4 : 4 + length] if len(raw) >= 4 + length else None


TRANSPORTS: dict[str, type[Transport]] = {"intermediate": Intermediate}
"""The transports by the name that a step gives in `via`."""


def nonce() -> bytes:
    """16 random bytes."""
    return os.urandom(NONCE_BYTES)


def question(nonce: bytes) -> bytes:
    """req_pq_multi in an unencrypted message."""
    body = struct.pack("<I", REQ_PQ_MULTI) + nonce
    # A message id is the time in units of 2^-32 s, with the lowest two bits zero for a client.
    message_id = int(time.time() * 2**32) & ~3
    return _ENVELOPE.pack(0, message_id, len(body)) + body


def check_answer(message: bytes, nonce: bytes) -> None:
    """Raises Failed when a message isn't the resPQ that answers `nonce`."""
    if not message:
        raise Failed(EOF)
    if len(message) == 4:
        (code,) = struct.unpack("<i", message)
        raise Failed(unknown(f"MTProto transport error {code}"))
    start = _ENVELOPE.size
    if len(message) < start + 4 + NONCE_BYTES:
        raise Failed(unknown("MTProto message too short"))
    (constructor,) = struct.unpack_from("<I", message, start)
    if constructor != RES_PQ:
        raise Failed(unknown(f"MTProto constructor {constructor:#010x}"))
    if message[start + 4 : start + 4 + NONCE_BYTES] != nonce:
        raise Failed(unknown("resPQ with another nonce"))
