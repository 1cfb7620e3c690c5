"""The watch of a scenario, as the TOML text that an operator would write and sign. It contains nothing of the truth."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from infra.lab.scenario import Scenario

_VALID = dt.timedelta(days=365)


def rfc3339(ms: int) -> str:
    """Milliseconds since the epoch as RFC 3339 UTC with milliseconds and `Z`."""
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
        "surfaces": {n: _builtins(getattr(scenario.surfaces, n)) for n in scenario.surfaces.names()},
        "control": _builtins(scenario.control),
        "second_resolver": _builtins(scenario.second_resolver),
        "providers": [
            {"id": p.id, "name": p.name, "access": p.access, "networks": [{"asn": p.asn}]} for p in scenario.providers
        ],
    }
    lines = [f"# Made from the lab's scenario `{scenario.name}`. All names in it are invented.", ""]
    return "\n".join([*lines, *_toml(table)]).encode() + b"\n"


def _to_second(time: dt.datetime) -> dt.datetime:
    return (time + dt.timedelta(milliseconds=500)).replace(microsecond=0)


def _builtins(struct: msgspec.Struct) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(struct)
    return built


def _toml(table: dict[str, Any], path: str = "") -> list[str]:
    """A table's lines: its plain values first, then its sub-tables and arrays of tables under full headers."""
    lines = [f"{key} = {_value(value)}" for key, value in table.items() if not _is_table(value)]
    for key, value in table.items():
        name = f"{path}{key}"
        if isinstance(value, dict):
            lines += ["", f"[{name}]", *_toml(value, f"{name}.")]
        elif _is_table(value):
            for row in value:
                lines += ["", f"[[{name}]]", *_toml(row, f"{name}.")]
    return lines


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list | tuple) and bool(value) and isinstance(value[0], dict))


def _value(value: Any) -> str:
    """A string, number, boolean or flat list, which look the same in JSON and TOML."""
    return json.dumps(value, ensure_ascii=False)
