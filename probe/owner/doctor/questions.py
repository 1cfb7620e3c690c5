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

from probe.base.clock import Clock, now_ms
from probe.base.errors import UserError
from probe.custody import watch_renewal
from probe.home import notebook
from probe.home.notebook import CLOCK_TOLERANCE_MS
from probe.measure import control
from probe.measure.context import Context
from probe.nats.link import connect
from probe.net import quic
from probe.owner import ask_network, status
from probe.owner.doctor import tls_interception
from probe.place import resolver_kind, routes, this_network
from probe.protocol import prefix_table
from probe.protocol.addresses import is_bogon
from probe.protocol.keys import Key

if TYPE_CHECKING:
    from probe.home.config import Config
    from probe.net.network import Network
    from probe.protocol.watch import Watch

_REACH_S = 8.0
_ROOM_MB = 64
"""Less free disk than this beside the spool is too little."""


class Finding(NamedTuple):
    """What one question found. `says` and `fix` are keys of the messages' section `doctor`."""

    question: str
    mark: Literal["ok", "note", "bad"]
    says: str
    fix: str
    values: dict[str, Any]


def version() -> Finding:
    """This program's version, and Python's."""
    python = ".".join(str(n) for n in sys.version_info[:3])
    said = f"blockonset {importlib.metadata.version('blockonset')}, Python {python}"
    return Finding("version", "ok", "version_ok", "", {"version": said})


def http3() -> Finding:
    """Whether HTTP/3 is tested here. Nothing is sent."""
    return (
        Finding("http3", "ok", "http3_ok", "", {})
        if quic.can_load()
        else Finding("http3", "note", "http3_none", "", {})
    )


def clock(config: Config, api_offset_ms: int | None = None) -> Finding:
    """How far this clock is off by the last receipt, or by the API, and whether the system keeps it right."""
    noted = notebook.read(Path(config.data))
    kept = _synchronised()
    values: dict[str, object] = {"sync": {True: "clock_synced", False: "clock_unsynced", None: "clock_unknown"}[kept]}
    fix = "clock_fix" if kept is False else ""
    if api_offset_ms is None and not noted.clock_compared_ms:
        return Finding("clock", "note", "clock_never", fix, values)
    offset_ms = noted.clock_offset_ms if api_offset_ms is None else api_offset_ms
    values["by"] = "clock_receipt" if api_offset_ms is None else "clock_api"
    values["seconds"] = f"{offset_ms / 1000:.1f}"
    if abs(offset_ms) > CLOCK_TOLERANCE_MS:
        return Finding("clock", "bad", "clock_bad", "clock_fix", values)
    return Finding("clock", "note" if kept is False else "ok", "clock_ok", fix, values)


def disk(config: Config) -> Finding:
    """Whether there is room for the spool to grow."""
    directory = Path(config.data)
    where = next(p for p in (directory, *directory.parents) if p.exists())
    free = shutil.disk_usage(where).free // 1_000_000
    used = config.spool_file.stat().st_size // 1_000_000 if config.spool_file.exists() else 0
    room = free >= max(0, config.spool_mb - used) + _ROOM_MB
    values = {"free": free, "spool": config.spool_mb}
    return Finding(
        "disk", "ok" if room else "bad", "disk_ok" if room else "disk_bad", "" if room else "disk_fix", values
    )


def key(config: Config) -> Finding:
    """Whether the probe's key can be used."""
    try:
        return Finding("key", "ok", "key_ok", "", {"id": Key.load(config.key_file, "user").id})
    except UserError as e:
        return Finding("key", "bad", e.message, "key_fix", {})


def road(watch: Watch, network: Network) -> list[Finding]:
    """IPv6, and a VPN in the way. Nothing is sent."""
    look = routes.of_run(watch, network.dialer)
    six = network.dialer.has_route("2001:db8::1")
    path = {"path": look.path}
    found = [Finding("ipv6", "ok", "ipv6_ok", "", {}) if six else Finding("ipv6", "note", "ipv6_none", "ipv6_fix", {})]
    if look.path == "direct":
        found.append(Finding("vpn", "ok", "vpn_none", "", path))
    elif look.path == "unknown":
        found.append(Finding("vpn", "note", "vpn_unknown", "", path))
    else:
        found.append(Finding("vpn", "bad", "vpn_bad", "vpn_fix", path))
    return found


def place(config: Config) -> list[Finding]:
    """Whether it is known what kind of network this is, and its number. Nothing is sent."""
    said, noted = config.vantage, notebook.read(Path(config.data))
    kind = Finding("network", "ok", "network_ok", "", {"access": said.access, "line": said.line_kind})
    if said.access == "unknown":
        kind = _kind(config)
    asn = said.asn or noted.asn
    if asn:
        how = "number_configured" if said.asn else "number_seen"
        return [kind, Finding("number", "ok", "number_ok", "", {"asn": asn, "how": how})]
    if said.whoami and not noted.last_run_ms:
        return [kind, Finding("number", "note", "number_silent", "", {})]
    return [kind, Finding("number", "bad", "number_unknown", "number_fix", {})]


def _kind(config: Config) -> Finding:
    at = ask_network.here(Path(config.data))
    try:
        known = ask_network.of(Path(config.data))
        if known.is_new(at):
            return Finding("network", "note", "network_new", "network_new_fix", {})
        found, told = known.of(at), bool(at.name(Key.load(config.key_file, "user")))
    except UserError as e:
        return Finding("network", "bad", e.message, "", {})
    if found == this_network.UNKNOWN and not told:
        return Finding("network", "note", "network_untold", "", {})
    return Finding("network", "ok", "network_ok", "", {"access": found.access, "line": found.line_kind})


async def resolver(config: Config, watch: Watch, network: Network) -> Finding:
    """Whose resolver this line uses, and whether it denies names to its users."""
    context = Context(watch, network, Clock())
    try:
        table = prefix_table.read(Path(config.prefixes)) if config.prefixes else None
        asn = config.vantage.asn or notebook.read(Path(config.data)).asn
        kind = "filter" if await control.filtering(context) else resolver_kind.line_kind(network.dialer, asn, table)
    except UserError as e:
        return Finding("resolver", "bad", e.message, "table_fix", {})
    finally:
        await context.close()
    mark: Literal["ok", "note"] = "ok" if kind == "provider" else "note"
    fix = "resolver_fix" if kind in ("other", "filter") else ""
    return Finding("resolver", mark, f"resolver_{kind}", fix, {})


async def dns(watch: Watch, network: Network) -> Finding:
    """Whether the control's name resolves."""
    step = await network.resolve(watch.control.host, limit=watch.timeout_s, clock=Clock())
    values = {"host": watch.control.host, "ms": round(step.end_ms - step.start_ms), "failure": step.failure}
    if step.failure:
        return Finding("dns", "bad", "dns_bad", "dns_fix", values)
    return Finding("dns", "ok", "dns_ok", "", values)


async def interception(watch: Watch, network: Network) -> Finding:
    """Whether something on this line opens TLS: an antivirus or a filter shows certificates of its own."""
    host, addresses = watch.control.host, watch.control.addresses
    if not addresses:
        step = await network.resolve(host, limit=watch.timeout_s, clock=Clock())
        addresses = tuple(a for a in step.answers if not is_bogon(a))
    if not addresses:
        return Finding("tls", "note", "interception_unknown", "", {"host": host, "failure": "dns"})
    try:
        wrong = await tls_interception.look(network, host, addresses[0], watch.timeout_s)
    except ConnectionError as e:
        return Finding("tls", "note", "interception_unknown", "", {"host": host, "failure": str(e)})
    if wrong:
        return Finding("tls", "bad", "interception_bad", "interception_fix", {"host": host, "failure": wrong})
    return Finding("tls", "ok", "interception_ok", "", {"host": host})


async def collector(config: Config, url: str) -> Finding:
    """Whether a collector is reached by this transport and lets the probe in."""
    question = f"collector {url}"
    try:
        own = Key.load(config.key_file, "user")
    except UserError as e:
        return Finding(question, "bad", e.message, "key_fix", {})
    start = time.monotonic()
    connection = await connect([url], own, "doctor", inbox_prefix=f"_INBOX_{own.id}", ca_file=config.ca_file)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REACH_S):
                await connection.tried.wait()
                while not connection.is_up and "reset" in connection.last_error.lower():
                    connection.tried.clear()  # a refusal's reset can overtake its words: the next try tells
                    await connection.tried.wait()
        took_ms = round((time.monotonic() - start) * 1000)
        if connection.is_up:
            return Finding(question, "ok", "collector_ok", "", {"ms": took_ms})
    finally:
        await connection.close()
    if "authorization" in connection.last_error.lower():
        return Finding(question, "bad", "collector_key", "collector_key_fix", {"id": own.id})
    return Finding(question, "bad", "collector_bad", "collector_fix", {"error": connection.last_error})


def api(config: Config, watch: Watch) -> tuple[Finding, int | None]:
    """Whether the public API answers, and by how many ms this clock is ahead of its own; None where it doesn't tell."""
    try:
        _, told_ms = status.fetch(f"{config.api.rstrip('/')}/v1/watches/{watch.id}/onsets")
    except UserError as e:
        return Finding("api", "note", "api_bad", "api_fix", {"error": e.message}), None
    return Finding("api", "ok", "api_ok", "", {}), now_ms() - told_ms if told_ms else None


def watch(config: Config) -> tuple[Watch | None, Finding]:
    """The watch in force, and whether it may be measured. None where there is no good one."""
    try:
        found = watch_renewal.present(config)
    except UserError as e:
        return None, Finding("watch", "bad", e.message, "watch_fix", {})
    values = {"id": found.id, "expires": found.expires}
    if watch_renewal.expired(found):
        return None, Finding("watch", "bad", "watch_expired", "watch_fix", values)
    return found, Finding("watch", "ok", "watch_ok", "", values)


def _synchronised() -> bool | None:
    """What systemd says of the clock; None where there is none to ask."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        words = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
        said = subprocess.run(words, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
        return {"yes": True, "no": False}.get(said)
    return None
