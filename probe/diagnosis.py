"""The questions that `doctor` asks, one function each. What they find are message keys with their values."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from probe import interception as interceptions
from probe import resolvers, route, state, status
from probe.addresses import is_bogon
from probe.clock import Clock
from probe.connection import connect
from probe.errors import UserError
from probe.keys import Key
from probe.publish import CLOCK_TOLERANCE_MS

if TYPE_CHECKING:
    from probe.config import Config
    from probe.network import Network
    from probe.watch import Watch

_REACH_S = 8.0
_ROOM_MB = 64
"""Less free disk than this beside the spool is too little."""


class Found(NamedTuple):
    """What one question found. `says` and `fix` are keys of the messages' section `doctor`."""

    question: str
    mark: Literal["ok", "note", "bad"]
    says: str
    fix: str
    values: dict[str, Any]


def version() -> Found:
    """This program's version, and Python's."""
    python = ".".join(str(n) for n in sys.version_info[:3])
    said = f"blockonset {importlib.metadata.version('blockonset')}, Python {python}"
    return Found("version", "ok", "version_ok", "", {"version": said})


def clock(config: Config) -> Found:
    """How far this clock is off by the last receipt, and whether the system keeps it right. Nobody is asked."""
    offset_ms = state.read(Path(config.data)).clock_offset_ms
    kept = _synchronised()
    said = {True: "clock_synced", False: "clock_unsynced", None: "clock_unknown"}[kept]
    values = {"seconds": f"{offset_ms / 1000:.1f}", "sync": said}  # `sync` is a key itself
    if abs(offset_ms) > CLOCK_TOLERANCE_MS:
        return Found("clock", "bad", "clock_bad", "clock_fix", values)
    return Found("clock", "note" if kept is False else "ok", "clock_ok", "clock_fix" if kept is False else "", values)


def disk(config: Config) -> Found:
    """Whether there is room for the spool to grow."""
    directory = Path(config.data)
    where = next(p for p in (directory, *directory.parents) if p.exists())
    free = shutil.disk_usage(where).free // 1_000_000
    used = config.spool_file.stat().st_size // 1_000_000 if config.spool_file.exists() else 0
    room = free >= max(0, config.spool_mb - used) + _ROOM_MB
    values = {"free": free, "spool": config.spool_mb}
    return Found("disk", "ok" if room else "bad", "disk_ok" if room else "disk_bad", "" if room else "disk_fix", values)


def key(config: Config) -> Found:
    """Whether the probe's key can be used."""
    try:
        return Found("key", "ok", "key_ok", "", {"id": Key.load(config.key_file, "user").id})
    except UserError as e:
        return Found("key", "bad", e.message, "key_fix", {})


def road(watch: Watch, network: Network) -> list[Found]:
    """IPv6, a VPN in the way, and whose resolver it is. Nothing is sent."""
    look = route.of_run(watch, network.dialer)
    six = network.dialer.has_route("2001:db8::1")
    path = {"path": look.path}
    found = [Found("ipv6", "ok", "ipv6_ok", "", {}) if six else Found("ipv6", "note", "ipv6_none", "ipv6_fix", {})]
    if look.path == "direct":
        found.append(Found("vpn", "ok", "vpn_none", "", path))
    elif look.path == "unknown":
        found.append(Found("vpn", "note", "vpn_unknown", "", path))
    else:
        found.append(Found("vpn", "bad", "vpn_bad", "vpn_fix", path))
    kind = resolvers.line_kind(network.dialer, 0)
    mark: Literal["ok", "note", "bad"] = "ok" if kind == "provider" else "note"
    fix = "resolver_fix" if kind in ("other", "filter") else ""
    return [*found, Found("resolver", mark, f"resolver_{kind}", fix, {})]


async def dns(watch: Watch, network: Network) -> Found:
    """Whether the control's name resolves."""
    step = await network.resolve(watch.control.host, limit=watch.timeout_s, clock=Clock())
    values = {"host": watch.control.host, "ms": round(step.end_ms - step.start_ms), "failure": step.failure}
    if step.failure:
        return Found("dns", "bad", "dns_bad", "dns_fix", values)
    return Found("dns", "ok", "dns_ok", "", values)


async def interception(watch: Watch, network: Network) -> Found:
    """Whether something on this line opens TLS: an antivirus or a filter shows certificates of its own."""
    host, addresses = watch.control.host, watch.control.addresses
    if not addresses:
        step = await network.resolve(host, limit=watch.timeout_s, clock=Clock())
        addresses = tuple(a for a in step.answers if not is_bogon(a))
    if not addresses:
        return Found("tls", "note", "interception_unknown", "", {"host": host, "failure": "dns"})
    try:
        wrong = await interceptions.look(network, host, addresses[0], watch.timeout_s)
    except ConnectionError as e:
        return Found("tls", "note", "interception_unknown", "", {"host": host, "failure": str(e)})
    if wrong:
        return Found("tls", "bad", "interception_bad", "interception_fix", {"host": host, "failure": wrong})
    return Found("tls", "ok", "interception_ok", "", {"host": host})


async def collector(config: Config, url: str) -> Found:
    """Whether a collector is reached by this transport and lets the probe in."""
    question = f"collector {url}"
    try:
        own = Key.load(config.key_file, "user")
    except UserError as e:
        return Found(question, "bad", e.message, "key_fix", {})
    start = time.monotonic()
    connection = await connect([url], own, "doctor", inbox_prefix=f"_INBOX_{own.id}", ca_file=config.ca_file)
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(connection.tried.wait(), _REACH_S)
        took_ms = round((time.monotonic() - start) * 1000)
        if connection.is_up:
            return Found(question, "ok", "collector_ok", "", {"ms": took_ms})
    finally:
        await connection.close()
    if "authorization" in connection.last_error.lower():
        return Found(question, "bad", "collector_key", "collector_key_fix", {"id": own.id})
    return Found(question, "bad", "collector_bad", "collector_fix", {"error": connection.last_error})


def api(config: Config, watch: Watch) -> Found:
    """Whether the public API answers."""
    try:
        status.fetch(f"{config.api.rstrip('/')}/v1/watches/{watch.id}/onsets")
    except UserError as e:
        return Found("api", "note", "api_bad", "api_fix", {"error": e.message})
    return Found("api", "ok", "api_ok", "", {})


def _synchronised() -> bool | None:
    """What systemd says of the clock; None where there is none to ask."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        words = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
        said = subprocess.run(words, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
        return {"yes": True, "no": False}.get(said)
    return None
