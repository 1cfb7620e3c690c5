"""Ed25519 keys in the text form of NATS' nkeys: the same text is a probe's id, its NATS user and its public key.

Text form: base32 without padding of prefix, key bytes and CRC-16/XMODEM (little-endian). A public key has a prefix
of one byte, 20 << 3 for a user ("U...") and 14 << 3 for an operator ("O..."). A seed has two bytes that mix
18 << 3 ("S") with the kind's prefix. Source: the nkeys README, https://github.com/nats-io/nkeys
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from typing import TYPE_CHECKING, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from probe.base import private_file
from probe.base.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["user", "operator"]

_SEED = 18 << 3
_PREFIX: dict[Kind, int] = {"user": 20 << 3, "operator": 14 << 3}
_KIND: dict[int, Kind] = {prefix: kind for kind, prefix in _PREFIX.items()}

ID_LENGTH = 56
"""Characters of a public key's text."""


class KeyTextError(ValueError):
    """A text that isn't a key of the expected kind."""


class Key:
    """A private key with its public id.

    `id` is the public text ("U..." or "O..."), `seed` the private one ("SU..." or "SO...").
    """

    def __init__(self, secret: bytes, kind: Kind) -> None:
        """`secret` is the 32-byte Ed25519 seed."""
        self.kind: Kind = kind
        self._secret = secret
        self._private = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._private.public_key().public_bytes_raw()
        self.id = text_of(self.public, kind)

    @classmethod
    def create(cls, kind: Kind) -> Self:
        """A new random key."""
        return cls(secrets.token_bytes(32), kind)

    @classmethod
    def from_seed(cls, text: str, kind: Kind) -> Self:
        """The key with this seed. Raises KeyTextError."""
        raw = _decode(text)
        if len(raw) != 34 or raw[0] & 0xF8 != _SEED:
            raise KeyTextError("not a seed")
        prefix = (raw[0] & 7) << 5 | raw[1] >> 3
        if _KIND.get(prefix) != kind:
            raise KeyTextError(f"not a seed of the kind {kind!r}")
        return cls(raw[2:], kind)

    @classmethod
    def load(cls, path: Path, kind: Kind) -> Self:
        """The key in a file.

        Raises UserError for a file that can't be read, that others can read too, or that holds no such key.
        """
        try:
            text = path.read_text(encoding="ascii").strip()
            mode = path.stat().st_mode
        except (OSError, UnicodeDecodeError) as e:
            raise UserError(f"key file {path}: can't be read: {e}") from e
        if os.name == "posix" and mode & 0o077:
            raise UserError(f"key file {path}: others can read it; run: chmod 600 {path}")
        try:
            return cls.from_seed(text, kind)
        except KeyTextError as e:
            raise UserError(
                f"key file {path}: {e}; restore it from a backup, or remove it to start with a new key"
            ) from e

    @classmethod
    def load_or_create(cls, path: Path, kind: Kind) -> Self:
        """The key in a file, which is made (mode 0600) if there is none. Raises UserError as `load` does."""
        if not path.exists():
            try:
                private_file.create(path, f"{cls.create(kind).seed}\n".encode())
            except OSError as e:
                raise UserError(f"key file {path}: can't be written: {e}") from e
        return cls.load(path, kind)

    @property
    def seed(self) -> str:
        """The private text: keep it secret."""
        prefix = _PREFIX[self.kind]
        return _encode(bytes([_SEED | prefix >> 5, (prefix & 31) << 3]) + self._secret)

    def sign(self, data: bytes) -> bytes:
        """The 64-byte Ed25519 signature over `data`."""
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"Key({self.id})"


def text_of(public: bytes, kind: Kind) -> str:
    """The text form of a 32-byte public key."""
    return _encode(bytes([_PREFIX[kind]]) + public)


def public_of(text: str, kind: Kind) -> bytes:
    """The 32-byte public key in text form `text`. Raises KeyTextError."""
    raw = _decode(text)
    if len(text) != ID_LENGTH or raw[0] != _PREFIX[kind]:
        raise KeyTextError(f"not a public key of the kind {kind!r}")
    return raw[1:]


def is_id(text: str, kind: Kind) -> bool:
    """Whether a text is a public key of this kind, its checksum included."""
    try:
        public_of(text, kind)
    except KeyTextError:
        return False
    return True


def verify_public(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether `signature` over `data` was made with the key that has these 32 public bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify(key_id: str, signature: bytes, data: bytes) -> bool:
    """Whether `signature` over `data` was made with the key (of any kind) that `key_id` names."""
    kind: Kind = "operator" if key_id.startswith("O") else "user"
    try:
        return verify_public(public_of(key_id, kind), signature, data)
    except KeyTextError:
        return False


def _encode(raw: bytes) -> str:
    checked = raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")
    return base64.b32encode(checked).decode().rstrip("=")


def _decode(text: str) -> bytes:
    """The bytes of a text form without their checksum. Raises KeyTextError."""
    try:
        checked = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError as e:
        raise KeyTextError("not the text of a key (base32)") from e
    raw, crc = checked[:-2], checked[-2:]
    if not raw or binascii.crc_hqx(raw, 0).to_bytes(2, "little") != crc:
        raise KeyTextError("not the text of a key: its checksum is wrong")
    return raw
