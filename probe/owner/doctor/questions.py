"""The questions that `doctor` asks, one function each. A finding holds keys of texts and the values for them."""

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
"""The free disk space that must remain when the spool is full."""


class Finding(NamedTuple):
    """What one question found. `says` and `fix` are keys of the texts' section `doctor`; `says` may be an error too."""

    question: str
    mark: Literal["ok", "note", "bad"]
    says: str
    fix: str
    values: dict[str, Any]


def version() -> Finding:
    """This program's version, and Python's."""
    python = ".".join(str(n) for n in sys.version_info[:3])
    versions = f"blockonset {importlib.metadata.version('blockonset')}, Python {python}"
    return Finding("version", "ok", "version_ok", "", {"version": versions})


def http3() -> Finding:
    """Whether HTTP/3 is tested here. Nothing is sent."""
    return (
        Finding("http3", "ok", "http3_ok", "", {})
        if quic.can_load()
        else Finding("http3", "note", "http3_none", "", {})
    )


def clock(config: Config, api_offset_ms: int | None = None) -> Finding:
    """How far this clock is off by the API (None: not asked) or the last receipt, and whether it is synchronised."""
    state = notebook.read(Path(config.data))
    synced = _synchronised()
    values: dict[str, object] = {"sync": {True: "clock_synced", False: "clock_unsynced", None: "clock_unknown"}[synced]}
    fix = "clock_fix" if synced is False else ""
    if api_offset_ms is None and not state.clock_compared_ms:
        return Finding("clock", "note", "clock_never", fix, values)
    offset_ms = state.clock_offset_ms if api_offset_ms is None else api_offset_ms
    values["by"] = "clock_receipt" if api_offset_ms is None else "clock_api"
    values["seconds"] = f"{offset_ms / 1000:.1f}"
    if abs(offset_ms) > CLOCK_TOLERANCE_MS:
        return Finding("clock", "bad", "clock_bad", "clock_fix", values)
    return Finding("clock", "note" if synced is False else "ok", "clock_ok", fix, values)


def disk(config: Config) -> Finding:
    """Whether there is room for the spool to grow."""
    directory = Path(config.data)
    existing = next(p for p in (directory, *directory.parents) if p.exists())
    free = shutil.disk_usage(existing).free // 1_000_000
    used = config.spool_file.stat().st_size // 1_000_000 if config.spool_file.exists() else 0
    values = {"free": free, "spool": config.spool_mb}
    if free >= max(0, config.spool_mb - used) + _ROOM_MB:
        return Finding("disk", "ok", "disk_ok", "", values)
    return Finding("disk", "bad", "disk_bad", "disk_fix", values)


def key(config: Config) -> Finding:
    """Whether the probe's key can be used."""
    try:
        return Finding("key", "ok", "key_ok", "", {"id": Key.load(config.key_file, "user").id})
    except UserError as e:
        return Finding("key", "bad", e.message, "key_fix", {})


def ipv6(network: Network) -> Finding:
    """Whether this line has IPv6. Nothing is sent."""
    if network.dialer.has_route(routes.ELSEWHERE6):
        return Finding("ipv6", "ok", "ipv6_ok", "", {})
    return Finding("ipv6", "note", "ipv6_none", "ipv6_fix", {})


def vpn(watch: Watch, network: Network) -> Finding:
    """Whether a VPN or proxy carries the runs. Nothing is sent."""
    path = routes.of_run(watch, network.dialer).path
    if path == "direct":
        return Finding("vpn", "ok", "vpn_none", "", {"path": path})
    if path == "unknown":
        return Finding("vpn", "note", "vpn_unknown", "", {"path": path})
    return Finding("vpn", "bad", "vpn_bad", "vpn_fix", {"path": path})


def network_kind(config: Config) -> Finding:
    """Whether it is known what kind of network this is. Nothing is sent."""
    configured = config.vantage
    if configured.access != "unknown":
        values = {"access": configured.access, "line": configured.line_kind}
        return Finding("network", "ok", "network_ok", "", values)
    directory, network = Path(config.data), this_network.current_network()
    asn = ask_network.learnt_asn(directory)
    try:
        known_networks = ask_network.known_networks(directory)
        if known_networks.is_new(network, asn):
            return Finding("network", "note", "network_new", "network_new_fix", {})
        known = known_networks.of(network, asn)
    except UserError as e:
        return Finding("network", "bad", e.message, "", {})
    if known == this_network.UNKNOWN and not network.gateway_mac:
        return Finding("network", "note", "network_untold", "", {})
    return Finding("network", "ok", "network_ok", "", {"access": known.access, "line": known.line_kind})


def network_number(config: Config) -> Finding:
    """Whether this network's AS number is known. Nothing is sent."""
    configured, state = config.vantage, notebook.read(Path(config.data))
    asn = configured.asn or state.asn
    if asn:
        how = "number_configured" if configured.asn else "number_seen"
        return Finding("number", "ok", "number_ok", "", {"asn": asn, "how": how})
    if configured.whoami and not state.last_run_ms:
        return Finding("number", "note", "number_silent", "", {})
    return Finding("number", "bad", "number_unknown", "number_fix", {})


async def resolver(config: Config, watch: Watch, network: Network) -> Finding:
    """Who runs the resolver that this line uses, and whether it filters for its users."""
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
    """Whether something on this line intercepts TLS, as antivirus programs and filters do."""
    host, addresses = watch.control.host, watch.control.addresses
    if not addresses:
        step = await network.resolve(host, limit=watch.timeout_s, clock=Clock())
        addresses = tuple(a for a in step.answers if not is_bogon(a))
    if not addresses:
        return Finding("tls", "note", "interception_unknown", "", {"host": host, "failure": "dns"})
    try:
        problem = await tls_interception.problem(network, host, addresses[0], watch.timeout_s)
    except ConnectionError as e:
        return Finding("tls", "note", "interception_unknown", "", {"host": host, "failure": str(e)})
    if problem:
        return Finding("tls", "bad", "interception_bad", "interception_fix", {"host": host, "failure": problem})
    return Finding("tls", "ok", "interception_ok", "", {"host": host})


async def collector(config: Config, url: str) -> Finding:
    """Whether a collector can be reached at this URL and accepts the probe."""
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
                    connection.tried.clear()  # it can arrive before the server's reason: try again
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
    """Whether the public API answers, and by how many ms this clock is ahead of its; None if not known."""
    try:
        _, server_ms = status.published_answers(f"{config.api.rstrip('/')}/v1/watches/{watch.id}/onsets")
    except UserError as e:
        return Finding("api", "note", "api_bad", "api_fix", {"error": e.message}), None
    return Finding("api", "ok", "api_ok", "", {}), now_ms() - server_ms if server_ms else None


def watch(config: Config) -> tuple[Watch | None, Finding]:
    """The watch in force, and whether it may be measured. None where it may not."""
    try:
        found = watch_renewal.present(config)
    except UserError as e:
        return None, Finding("watch", "bad", e.message, "watch_fix", {})
    values = {"id": found.id, "expires": found.expires}
    if watch_renewal.expired(found):
        return None, Finding("watch", "bad", "watch_expired", "watch_fix", values)
    return found, Finding("watch", "ok", "watch_ok", "", values)


def _synchronised() -> bool | None:
    """Whether systemd reports the clock as synchronised; None without systemd."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
        output = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
        return {"yes": True, "no": False}.get(output)
    return None
