"""The watch of a scenario, as the TOML text that an operator would write and sign. It contains nothing of the truth."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import TYPE_CHECKING

import msgspec
import tomli_w

if TYPE_CHECKING:
    from infra.lab.scenario import Scenario

_VALID = dt.timedelta(days=365)


def watch_id(scenario: Scenario) -> str:
    """The id of a scenario's watch."""
    return f"lab-{scenario.name}"


def watch_toml(scenario: Scenario, zero_ms: int) -> bytes:
    """The watch's TOML text, with the directive's dates counted from the zero time (milliseconds since the epoch)."""
    zone = zoneinfo.ZoneInfo(scenario.timezone)
    zero = dt.datetime.fromtimestamp(zero_ms / 1000, dt.UTC)
    dates = [
        {
            "kind": d.kind,
            "value": _to_second(zero + dt.timedelta(seconds=d.at_s)).astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S"),
            "precision": "second",
            "timezone": scenario.timezone,
            "wording": d.wording,
        }
        for d in scenario.directive.dates
    ]
    table = {
        "format": 1,
        "id": watch_id(scenario),
        "title": f"{scenario.title} (fictional)",
        "service": scenario.service,
        "country": scenario.country,
        "timezone": scenario.timezone,
        "expires": (zero + _VALID).date().isoformat(),
        "cadence_s": scenario.cadence_s,
        "timeout_s": scenario.timeout_s,
        "dns_lag_s": scenario.dns_lag_s,
        "sweep_s": scenario.sweep_s,
        "fictional": True,
        "directive": {
            "authority": scenario.directive.authority,
            "summary": scenario.directive.summary,
            "dates": dates,
        },
        "surfaces": {n: msgspec.to_builtins(getattr(scenario.surfaces, n)) for n in scenario.surfaces.names()},
        "control": msgspec.to_builtins(scenario.control),
        "second_resolver": msgspec.to_builtins(scenario.second_resolver),
        "providers": [
            {"id": p.id, "name": p.name, "access": p.access, "networks": [{"asn": p.asn}]} for p in scenario.providers
        ],
    }
    heading = f"# Made from the lab's scenario `{scenario.name}`. All names in it are invented.\n\n"
    return (heading + tomli_w.dumps(table)).encode()


def _to_second(time: dt.datetime) -> dt.datetime:
    return (time + dt.timedelta(milliseconds=500)).replace(microsecond=0)
