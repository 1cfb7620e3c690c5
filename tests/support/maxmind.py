"""A prefix table in MaxMind's format."""

from __future__ import annotations


def mmdb(prefix, length, row):
    """The bytes of a MaxMind database with one IPv4 prefix (https://maxmind.github.io/MaxMind-DB/)."""

    def text(t):
        return bytes([2 << 5 | len(t)] if len(t) < 29 else [2 << 5 | 29, len(t) - 29]) + t.encode()

    def value(v):
        if isinstance(v, str):
            return text(v)
        if isinstance(v, dict):
            return bytes([7 << 5 | len(v)]) + b"".join(text(k) + value(x) for k, x in v.items())
        if isinstance(v, list):
            return bytes([len(v), 11 - 7]) + b"".join(map(value, v))
        if v < 1 << 16:
            return bytes([5 << 5 | 2]) + v.to_bytes(2, "big")
        return bytes([8, 9 - 7]) + v.to_bytes(8, "big")

    nodes = b""
    for n in range(length):
        following = n + 1 if n + 1 < length else length + 16  # the next node, or the first record of the data section
        pair = [length, length]  # no entry
        pair[prefix >> (31 - n) & 1] = following
        nodes += b"".join(p.to_bytes(3, "big") for p in pair)
    count = bytes([6 << 5 | 4]) + length.to_bytes(4, "big")
    about = {
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1_780_000_000,
        "database_type": "Test-ASN", "description": {"en": "x"}, "ip_version": 4, "languages": ["en"],
        "record_size": 24,
    }  # fmt: skip
    map_ = value(about)
    map_ = bytes([map_[0] + 1]) + map_[1:] + text("node_count") + count
    return nodes + bytes(16) + value(row) + b"\xab\xcd\xefMaxMind.com" + map_
