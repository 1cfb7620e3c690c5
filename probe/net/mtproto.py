"""The first exchange of MTProto, enough to know that a Telegram datacentre answers.

The client sends req_pq_multi with a random nonce, unencrypted; a datacentre answers resPQ with the same nonce.
Source: core.telegram.org/mtproto/auth_key and /mtproto/mtproto-transports. All integers are little-endian.
"""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING, Protocol

from probe.net.failures import EOF, ProtocolFailure, unknown

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

REQ_PQ_MULTI = 0xBE7E8EF1
RES_PQ = 0x05162463
NONCE_BYTES = 16

_INTERMEDIATE_TAG = b"\xee\xee\xee\xee"
_HEADER_BYTES = 64
_RESERVED_STARTS = (
    *(b"\xef", b"\xdd" * 4, b"\xee" * 4),  # abridged, padded intermediate, intermediate
    *(b"HEAD", b"POST", b"GET ", b"OPTI", b"PVrG", b"\x16\x03\x01\x02"),  # HTTP, a proxy's, TLS
)
"""What an obfuscated header must not begin with: a server would take it for another transport."""
_LARGEST_REPLY = 4096
_ENVELOPE = struct.Struct("<qqi")  # auth_key_id (0: unencrypted), message id, bytes that follow


class Transport(Protocol):
    """An MTProto transport: how messages are carried over one TCP connection."""

    def first(self, message: bytes) -> bytes:
        """The bytes that open the connection and carry its first message."""

    def reply(self, raw: bytes) -> bytes | None:
        """The first message in the bytes received so far, or None when more are needed.

        Raises ProtocolFailure when no message can begin like this.
        """


class Intermediate:
    """The intermediate transport: a tag of four bytes, then each message after its length in four bytes."""

    def first(self, message: bytes) -> bytes:
        """The tag, the length, the message."""
        return _INTERMEDIATE_TAG + struct.pack("<I", len(message)) + message

    def reply(self, raw: bytes) -> bytes | None:
        """The message after its length."""
        if len(raw) < 4:
            return None
        (length,) = struct.unpack_from("<I", raw)
        if length > _LARGEST_REPLY:
            raise ProtocolFailure(unknown("not the intermediate transport"))
        return raw[4 : 4 + length] if len(raw) >= 4 + length else None


class Obfuscated:
    """The intermediate transport under AES-256-CTR, after 64 random-looking bytes that hold key and IV.

    The apps use it. It keeps nothing secret from anyone who knows the layout; it only looks like no known protocol.
    """

    def __init__(self) -> None:
        self._header = _random_header()
        reversed_ = self._header[55:7:-1]  # the answer's key and IV are the header's bytes 8 to 55 in reverse
        self._key, self._iv = reversed_[:32], reversed_[32:48]

    def first(self, message: bytes) -> bytes:
        """The header with its last eight bytes encrypted, then the message, encrypted by the same stream."""
        plain = self._header[:56] + _INTERMEDIATE_TAG + self._header[60:]
        stream = aes_ctr(plain[8:40], plain[40:56])
        header = plain[:56] + stream.update(plain)[56:]
        return header + stream.update(struct.pack("<I", len(message)) + message)

    def reply(self, raw: bytes) -> bytes | None:
        """The first message of the answer, which is a stream with a key and IV of its own."""
        try:
            return Intermediate().reply(aes_ctr(self._key, self._iv).update(raw))
        except ProtocolFailure:
            raise ProtocolFailure(unknown("not the obfuscated transport")) from None


def _random_header() -> bytes:
    """64 random bytes that no server takes for the beginning of another transport."""
    while True:
        header = os.urandom(_HEADER_BYTES)
        if not header.startswith(_RESERVED_STARTS) and header[4:8] != bytes(4):
            return header


def aes_ctr(key: bytes, iv: bytes) -> CipherContext:
    """An AES-CTR stream, in which encrypting and decrypting are the same. `key` has 32 bytes, `iv` 16."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 - loaded on first use

    return Cipher(algorithms.AES256(key), modes.CTR(iv)).encryptor()


TRANSPORTS: dict[str, type[Transport]] = {"intermediate": Intermediate, "obfuscated": Obfuscated}
"""The transports by name, which is a step's `via`."""


def nonce() -> bytes:
    """16 random bytes."""
    return os.urandom(NONCE_BYTES)


def req_pq_multi(nonce: bytes) -> bytes:
    """req_pq_multi in an unencrypted message."""
    body = struct.pack("<I", REQ_PQ_MULTI) + nonce
    # A message id is the time in units of 2^-32 s, with the lowest two bits zero for a client.
    message_id = int(time.time() * 2**32) & ~3
    return _ENVELOPE.pack(0, message_id, len(body)) + body


def check_res_pq(message: bytes, nonce: bytes) -> None:
    """Raises ProtocolFailure when a message isn't the resPQ that answers `nonce`."""
    if not message:
        raise ProtocolFailure(EOF)
    if len(message) == 4:
        (code,) = struct.unpack("<i", message)
        raise ProtocolFailure(unknown(f"MTProto transport error {code}"))
    start = _ENVELOPE.size
    if len(message) < start + 4 + NONCE_BYTES:
        raise ProtocolFailure(unknown("MTProto message too short"))
    (constructor,) = struct.unpack_from("<I", message, start)
    if constructor != RES_PQ:
        raise ProtocolFailure(unknown(f"MTProto constructor {constructor:#010x}"))
    if message[start + 4 : start + 4 + NONCE_BYTES] != nonce:
        raise ProtocolFailure(unknown("resPQ with another nonce"))
