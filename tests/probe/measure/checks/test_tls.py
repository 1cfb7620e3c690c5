"""TLS under the service's name and under a harmless one."""

from __future__ import annotations

import asyncio
import hashlib

import msgspec

from probe.measure.checks import tls
from probe.measure.context import Context
from probe.measure.plan import RunPlan
from tests.support import servers
from tests.support.honest_internet import CONTRAST, FORGED, HOST, WEB


def handshakes(steps):
    """What matters of the handshakes."""
    return [(s.part, s.via, s.failure, s.certificate_failure) for s in steps if s.op == "handshake"]


async def test_the_service_and_the_contrast_are_offered_at_one_address(context):
    """The certificate is not for the contrast's name, which is no failure of the handshake."""
    steps = await tls.check(context)
    assert handshakes(steps) == [("target", HOST, None, None), ("contrast", CONTRAST, None, "ssl_invalid_hostname")]
    assert {s.address for s in steps} == {f"{WEB}:443"}
    assert {s.target for s in steps} == {HOST}


async def test_a_cut_by_server_name_spares_the_contrast(context, town, authority):
    """Only both together show that the name is what is cut."""
    honest = authority.issue(HOST)

    async def filters(reader, writer):
        hello = await reader.read(4096)
        if HOST.encode() in hello:
            servers.reset(writer)
            return
        async with servers.tcp(servers.keeps_open, honest) as port:
            onward_reader, onward_writer = await asyncio.open_connection(servers.LOOPBACK, port)
            onward_writer.write(hello)
            writer.write(await onward_reader.read(65536))
            onward_writer.write(await reader.read(65536))
            await writer.drain()
            await reader.read(1)
            onward_writer.transport.abort()

    await town.put(WEB, 443, filters)
    found = handshakes(await tls.check(context))
    assert found[0] == ("target", HOST, "connection_reset", None)
    assert found[1][:3] == ("contrast", CONTRAST, None)


async def test_a_certificate_of_an_unknown_authority_is_recorded(context, town, stranger):
    """At an address that both resolvers gave."""
    await town.put(WEB, 443, servers.keeps_open, stranger.issue(HOST))
    assert handshakes(await tls.check(context))[0] == ("target", HOST, None, "ssl_unknown_authority")


async def test_both_addresses_are_tested_where_the_resolvers_differ(context, town, stranger):
    """The forged one shows another certificate; the true one works."""
    town.forge(FORGED)
    await town.put(FORGED, 443, servers.keeps_open, stranger.issue("notice.example"))
    found = [h for h in handshakes(await tls.check(context)) if h[0] == "target"]
    assert [h[3] for h in found] == ["ssl_invalid_hostname", None]


async def test_a_watch_without_a_contrast_has_none_tested(town, network, clock):
    """The steps are the service's alone."""
    web = msgspec.structs.replace(town.watch.surfaces.web, contrast="")
    surfaces = msgspec.structs.replace(town.watch.surfaces, web=web)
    steps = await tls.check(Context(msgspec.structs.replace(town.watch, surfaces=surfaces), network, clock))
    assert handshakes(steps) == [("target", HOST, None, None)]


async def test_a_light_run_offers_the_contrast_only_beside_a_failure(context, town):
    """A handshake is the most expensive part of it."""
    context.plan = RunPlan(sweep=False, turn=0)
    steps = await tls.check(context)
    assert [(s.part, s.op) for s in steps] == [("target", op) for op in ("connect", "hold", "handshake")]
    await town.put(WEB, 443, servers.resets_after_reading)
    found = handshakes(await tls.check(context))
    assert [(part, failure) for part, _, failure, _ in found] == [
        ("target", "connection_reset"),
        ("contrast", "connection_reset"),
    ]


async def test_a_sweep_reads_the_front_page_over_tls(context):
    """It records status and title, never the page."""
    (page,) = [s for s in await tls.check(context) if s.op == "request"]
    assert (page.address, page.via, page.status, page.failure) == (f"{WEB}:443", "GET /", 200, None)
    assert page.title_hash == hashlib.sha256(b"It is").hexdigest()


async def test_a_light_run_only_connects_over_ipv6_where_the_line_has_both(town, network, clock):
    """Another handshake would cost too much; a block by address shows without it."""
    town.dialer.ipv6 = True
    town.names[HOST] = (WEB, "2001:db8:f::80")
    await town.put("2001:db8:f::80", 443, servers.silent)
    steps = await tls.check(Context(town.watch, network, clock, RunPlan(sweep=False, turn=0)))
    assert [s.op for s in steps if s.address == "[2001:db8:f::80]:443"] == ["connect", "hold"]
    assert [h[:3] for h in handshakes(steps)] == [("target", HOST, None)]


async def test_a_contrast_that_is_offered_again_resumes_its_session(context, town, authority):
    """Its certificate is never for its name and is not needed again."""
    context.plan = RunPlan(sweep=False, turn=0)
    town.names[HOST] = (WEB,)

    async def contrast():
        with await context.connect(HOST, WEB, 443, "contrast") as other:
            await other.handshake(CONTRAST, resume=True)
            await other.keep_session(CONTRAST)
        return other.steps[-1]

    first, second = await contrast(), await contrast()
    assert second.received < first.received / 2
    assert (first.certificate, second.failure) == (second.certificate, None)
