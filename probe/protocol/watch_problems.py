"""Checks a watch of the right shape for wrong values: each problem is a text that names the key."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import zoneinfo
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe.protocol.watch import Watch

WEEK_S = 7 * 86400
_PATH = re.compile(r"/[!-~]{0,200}")
"""Printable ASCII, as a request line may hold."""


def problem(watch: Watch) -> str:
    """The first problem, or "" when there is none."""
    for check in (_times, _dates, _surfaces, _providers):
        if first := next(check(watch), ""):
            return first
    return ""


def _times(watch: Watch) -> Iterator[str]:
    if not _is_zone(watch.timezone):
        yield f"timezone: unknown time zone {watch.timezone!r}"
    try:
        dt.date.fromisoformat(watch.expires)
    except ValueError:
        yield f"expires: {watch.expires!r} is not a date (YYYY-MM-DD)"
    for key in ("cadence_s", "timeout_s", "sweep_s"):
        if not 0 < getattr(watch, key) <= WEEK_S:
            yield f"{key}: must be above 0 and at most a week, in seconds"
    if watch.timeout_s > watch.cadence_s:
        yield "timeout_s: is longer than cadence_s"
    if not 0 <= watch.dns_lag_s <= WEEK_S:
        yield "dns_lag_s: must be between 0 and a week, in seconds"


def _dates(watch: Watch) -> Iterator[str]:
    for i, date in enumerate(watch.directive.dates):
        key = f"directive.dates[{i}]"
        if not _is_zone(date.timezone):
            yield f"{key}.timezone: unknown time zone {date.timezone!r}"
        read = dt.date.fromisoformat if date.precision == "day" else dt.datetime.fromisoformat
        try:
            value = read(date.value)
        except ValueError:
            yield f"{key}.value: {date.value!r} is not a {'date' if date.precision == 'day' else 'local date and time'}"
            continue
        if isinstance(value, dt.datetime) and value.tzinfo is not None:
            yield f"{key}.value: {date.value!r} has a UTC offset; give local time, and its zone as `timezone`"
        if date.precision == "minute" and isinstance(value, dt.datetime) and value.second:
            yield f"{key}.value: {date.value!r} has seconds, but its precision is minute"


def _surfaces(watch: Watch) -> Iterator[str]:
    if not watch.surfaces.names():
        yield "surfaces: none is given; give surfaces.app or surfaces.web"
    addresses = [
        ("second_resolver.address", watch.second_resolver.address),
        *(("control.addresses", a) for a in watch.control.addresses),
    ]
    if watch.surfaces.web:
        addresses += [("surfaces.web.addresses", a) for a in watch.surfaces.web.addresses]
    endpoints = watch.surfaces.app.endpoints if watch.surfaces.app else ()
    addresses += [(f"surfaces.app.endpoints, {e.id}", a) for e in endpoints for a in e.addresses()]
    for key, text in addresses:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            yield f"{key}: {text!r} is not an IP address"
    if watch.surfaces.app and not endpoints:
        yield "surfaces.app.endpoints: is empty; name at least one"
    for e in endpoints:
        if not e.ports or not all(0 < p < 65536 for p in e.ports):
            yield f"surfaces.app.endpoints, {e.id}: ports must be between 1 and 65535, at least one"
        if e.address6 and (":" in e.address or ":" not in e.address6):
            yield f"surfaces.app.endpoints, {e.id}, address6: only for an IPv6 address beside an IPv4 one"
    yield from _duplicates("surfaces.app.endpoints", [e.id for e in endpoints])
    yield from _transfers(watch)


def _transfers(watch: Watch) -> Iterator[str]:
    web, control = watch.surfaces.web, watch.control
    paths = {"surfaces.web.transfer": web.transfer if web else "", "control.transfer": control.transfer}
    for key, path in paths.items():
        if path and not _PATH.fullmatch(path):
            yield f"{key}: {path!r} is not a path that begins with / and has no spaces"
    if web and bool(web.transfer) != bool(control.transfer):
        empty = "surfaces.web.transfer" if control.transfer else "control.transfer"
        yield f"{empty}: is missing; a speed is judged from both or not at all"


def _providers(watch: Watch) -> Iterator[str]:
    if not watch.providers:
        yield "providers: is empty; name at least one"
    yield from _duplicates("providers", [p.id for p in watch.providers])
    for p in watch.providers:
        if not p.networks:
            yield f"providers, {p.id}, networks: is empty; name at least one"
        for n in p.networks:
            if not 0 < n.asn < 2**32:
                yield f"providers, {p.id}, networks: {n.asn} is not an AS number"
            for key in ("since", "until"):
                try:
                    dt.date.fromisoformat(getattr(n, key) or "2000-01-01")
                except ValueError:
                    yield f"providers, {p.id}, networks, {key}: {getattr(n, key)!r} is not a date (YYYY-MM-DD)"


def _duplicates(key: str, ids: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    for i in ids:
        if i in seen:
            yield f"{key}: id {i!r} is given twice"
        seen.add(i)


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
