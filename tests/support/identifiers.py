"""Canaries: invented identifiers of a volunteer, and every encoding in which they could appear in data."""

from __future__ import annotations

import base64
import hashlib
import ipaddress

HOST_NAME, SSID = "canary-laptop-7f3a", "CanaryWifi-Nguyen"
V4, V6 = "5.188.77.33", "2a02:6b8:77::c0de"
"""Addresses that a test pretends are this machine's. Nobody contacts them."""


def forms() -> dict[str, bytes]:
    """Every canary in every encoding: description -> bytes."""
    encoded = {}
    for text in (HOST_NAME, SSID, V4, V6):
        encoded |= {f"{text} {how}": raw for how, raw in _encodings(text)}
    for address in (V4, V6):
        ip = ipaddress.ip_address(address)
        for written in (ip.exploded, address.replace(".", "-").replace(":", "-"), ip.reverse_pointer, str(int(ip))):
            encoded |= {f"{address} as {written} {how}": raw for how, raw in _encodings(written)}
        packed = {"packed": ip.packed, "reversed": ip.packed[::-1]}
        for name, raw in packed.items():
            encoded[f"{address} {name}"] = raw
            encoded[f"{address} {name}, hex"] = raw.hex().encode()
            encoded |= {f"{address} {name}, base64 {i}": b for i, b in enumerate(_base64(raw)) if len(b) > 4}
    return encoded


def leaks(data: bytes) -> list[str]:
    """The descriptions of all forms that appear in `data`, in any case."""
    lower = data.lower()
    return [name for name, raw in forms().items() if raw in data or (raw.lower() in lower and len(raw) > 4)]


def _encodings(text):
    raw = text.encode()
    yield "plain", raw
    yield "reversed", raw[::-1]
    yield "hex", raw.hex().encode()
    yield "UTF-16", text.encode("utf-16-le")
    yield "SHA-256", hashlib.sha256(raw).hexdigest().encode()
    yield "SHA-256 raw", hashlib.sha256(raw).digest()
    for i, encoded in enumerate(_base64(raw)):
        yield f"base64 {i}", encoded


def _base64(raw):
    """The part of base64 that depends on these bytes alone, at each of the three offsets within a group."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        yield whole[(0, 2, 3)[shift] : len(whole.rstrip(b"=")) - 1]
