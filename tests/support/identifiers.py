"""Canaries: what would identify a volunteer, and every way it could be written."""

from __future__ import annotations

import base64
import hashlib
import ipaddress

HOST_NAME, SSID = "canary-laptop-7f3a", "CanaryWifi-Nguyen"
V4, V6 = "5.188.77.33", "2a02:6b8:77::c0de"
"""Addresses that the test says are this machine's. Nobody contacts them."""


def forms() -> dict[str, bytes]:
    """Every canary in every encoding, by a name for the report."""
    found = {}
    for text in (HOST_NAME, SSID, V4, V6):
        found |= {f"{text} {how}": raw for how, raw in _texts(text)}
    for address in (V4, V6):
        ip = ipaddress.ip_address(address)
        for written in (ip.exploded, address.replace(".", "-").replace(":", "-"), ip.reverse_pointer, str(int(ip))):
            found |= {f"{address} as {written} {how}": raw for how, raw in _texts(written)}
        packed = {"packed": ip.packed, "turned": ip.packed[::-1]}
        for name, raw in packed.items():
            found[f"{address} {name}"] = raw
            found[f"{address} {name}, hex"] = raw.hex().encode()
            found |= {f"{address} {name}, base64 {i}": b for i, b in enumerate(_base64(raw)) if len(b) > 4}
    return found


def leaks(data: bytes) -> list[str]:
    """Which forms stand in some bytes, whatever their case."""
    lower = data.lower()
    return [name for name, raw in forms().items() if raw in data or (raw.lower() in lower and len(raw) > 4)]


def _texts(text):
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
    """The part of base64 that depends on these bytes alone, at each of the three places in a quantum."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        yield whole[(0, 2, 3)[shift] : len(whole.rstrip(b"=")) - 1]
