"""Watches, steps and measurements for tests, made in one place."""

from __future__ import annotations

import secrets

import msgspec

from probe.base.clock import now_ms
from probe.protocol import watch_file
from probe.protocol.addresses import endpoint
from probe.protocol.measurement import Measurement, Step, Vantage

WATCH = b"""
id = "test"
title = "A watch of the tests"
service = "telegram"
country = "XX"
timezone = "UTC"
expires = "2099-01-01"
cadence_s = 2
timeout_s = 1
dns_lag_s = 5
fictional = true
control = { host = "control.example", addresses = ["203.0.113.9"] }
second_resolver = { address = "203.0.113.53" }
[directive]
authority = "nobody"
summary = "nothing"
dates = [{ kind = "issued", value = "2026-01-01", precision = "day", timezone = "UTC" }]
[surfaces.app]
endpoints = [{ id = "dc1", address = "203.0.113.1", ports = [443] }]
[surfaces.web]
host = "web.example"
[[providers]]
id = "north-fixed"
name = "North"
access = "fixed"
networks = [{ asn = 64500 }]
[[providers]]
id = "south-mobile"
name = "South"
access = "mobile"
networks = [{ asn = 64501 }]
"""
TEST_WATCH = watch_file.read(WATCH, "the tests' watch")

AT_MS = 1_800_000_000_000
X, Y, BOGON = "192.0.2.1", "198.51.100.1", "10.0.0.1"
"""The service's address from the system's resolver, another one of it, and a reserved one."""


def step(op, **facts):
    """One step that tests the service, unless the facts give another target."""
    return Step(**({"op": op, "target": "web.example", "start_ms": 1.0, "end_ms": 2.0} | facts))


def resolve(via, *answers, **facts):
    """A lookup of the name by one DNS path."""
    return step("resolve", via=via, **({"answers": answers, "rcode": 0} | facts))


def agree(*answers):
    """Both paths give the same addresses."""
    return resolve("system", *(answers or (X,))), resolve("second", *(answers or (X,)))


def connect(ip=X, failure=None, port=443, **facts):
    """A TCP connection."""
    return step("connect", address=endpoint(ip, port), failure=failure, **facts)


def handshake(ip=X, failure=None, **facts):
    """A TLS handshake on a connection that was made."""
    at = {k: v for k, v in facts.items() if k == "part"}
    return connect(ip, **at), step("handshake", address=endpoint(ip, 443), failure=failure, **facts)


def control(failure=None, **facts):
    """The control's steps, with a failure of the handshake or None."""
    c = {"part": "control", "target": "control.example"}
    return (
        step("resolve", via="system", answers=("203.0.113.9",), rcode=0, **c),
        step("connect", address="203.0.113.9:443", **c),
        step("handshake", address="203.0.113.9:443", failure=failure, **c, **facts),
    )


def dc(number, *, connect=None, hold=None, exchange=None, address=None, via="intermediate", **facts):
    """One connection to an endpoint of the app, with the failure of its connect, hold or exchange step."""
    at = {"target": f"dc{number}", "address": address or f"203.0.113.{number}:443"}
    first, silence = step("connect", failure=connect, **at), step("hold", failure=hold, **at)
    if connect or hold:
        return (first, silence)[: 1 + bool(hold)]
    return first, silence, step("exchange", via=via, failure=exchange, **(at | facts))


def transfer(part="target", rate=500_000, failure=None, *, size=65536, curve=None, target="web.example"):
    """A download with its rate in bytes per second; steady, unless a curve is given."""
    took = size * 1000 / rate
    at = {"part": part, "target": target, "address": "203.0.113.9:443" if part == "control" else f"{X}:443"}
    even = tuple(size * n // 8 for n in range(1, 9))
    return step(
        "transfer", via="GET /big", start_ms=0.0, end_ms=took, received=size, failure=failure, curve=curve or even, **at
    )


def measurement(surface, steps, *, check=None, run_id=None, control_steps=None, **changes):
    """A measurement of one check with its steps and the control's (`control_steps`, by default one that works)."""
    vantage = {"asn": 64500, "access": "fixed", "line": "line-1"} | changes.pop("vantage", {})
    fields = {
        "watch": "test",
        "watch_digest": TEST_WATCH.digest,
        "run_id": run_id or secrets.token_hex(16),
        "surface": surface,
        "check": check or ("telegram" if surface == "app" else "tls"),
        "target": "web.example",
        "at_ms": AT_MS,
        "duration_ms": 10.0,
        "steps": (*steps, *(control() if control_steps is None else control_steps)),
        "vantage": Vantage(**vantage),
        "timeout_ms": 1000,
    }
    return Measurement(**(fields | changes))


APP_WATCH = """
id = "test"
title = "A watch of the tests"
service = "telegram"
country = "XX"
timezone = "UTC"
expires = "2099-01-01"
cadence_s = {cadence_s}
timeout_s = 0.2
fictional = true
control = {{ host = "control.example", addresses = ["203.0.113.9"] }}
second_resolver = {{ address = "203.0.113.53" }}
[directive]
authority = "nobody"
summary = "nothing"
[surfaces.app]
endpoints = [{{ id = "dc1", address = "203.0.113.1", ports = [443] }}]
[[providers]]
id = "test-fixed"
name = "Test"
access = "fixed"
networks = [{{ asn = 64500 }}]
"""


def app_measurement(run_id=None, **changes):
    """A valid measurement."""
    step = Step(op="connect", target="dc1", address="203.0.113.1:443", start_ms=0.5, end_ms=12.25)
    return msgspec.structs.replace(
        Measurement(
            watch="test",
            watch_digest="0" * 64,
            run_id=run_id or secrets.token_hex(16),
            surface="app",
            check="telegram",
            target="telegram",
            at_ms=now_ms(),
            duration_ms=12.5,
            steps=(step,),
            vantage=Vantage(asn=64500),
        ),
        **changes,
    )


def app_run(count):
    """The measurements of one run."""
    run_id = secrets.token_hex(16)
    return tuple(app_measurement(run_id) for _ in range(count))
