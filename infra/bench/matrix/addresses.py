"""The test bed's addresses: documentation networks and one public resolver's, all of them within namespaces."""

from __future__ import annotations

from pathlib import Path

from infra.lab.servers.resolver import Zone
from probe.protocol import watch_file

_RAW = Path(__file__).with_name("watch.toml").read_bytes()
WATCH = watch_file.read(_RAW, "infra/bench/matrix/watch.toml")
assert WATCH.surfaces.web is not None
assert WATCH.surfaces.app is not None
SITE_HOST = WATCH.surfaces.web.host
SITE = WATCH.surfaces.web.addresses
APP = tuple(a for e in WATCH.surfaces.app.endpoints for a in e.addresses())
CANARY = WATCH.control.canary
BLOCK_SERVER = "203.0.113.66"
RESOLVER = "203.0.113.2"
"""The provider's own resolver."""
FILTERING_RESOLVER = "94.140.14.15"
"""A public resolver that filters for families. Here the address exists only in a namespace."""
RESOLVERS = (RESOLVER, FILTERING_RESOLVER)
FAR_SIDE_ADDRESSES = tuple(
    dict.fromkeys((*SITE, *APP, *WATCH.control.addresses, WATCH.second_resolver.address, BLOCK_SERVER))
)


def zone() -> Zone:
    """The DNS names that resolve in the test bed."""
    names = {SITE_HOST: SITE, WATCH.control.host: WATCH.control.addresses, CANARY: ("192.0.2.1",)}
    return Zone(names, SITE_HOST, BLOCK_SERVER)


def watch_text(name: str, timeout_s: float) -> bytes:
    """The watch's TOML text with the id `bench-<name>` and this timeout of a step."""
    text = _RAW.replace(b'id = "bench"\n', f'id = "bench-{name}"\n'.encode(), 1)
    return text.replace(b"timeout_s = 10\n", f"timeout_s = {timeout_s:g}\n".encode(), 1)
