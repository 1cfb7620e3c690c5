"""What one worker leaves for the next passes through JSON and is all taken over."""

from __future__ import annotations

import asyncio

import msgspec

from probe.agent.memory import WorkMemory
from probe.agent.probe import Probe
from probe.base.clock import now_ms
from probe.custody.visit_schedule import VisitSchedule
from probe.net.network import Network
from probe.place import whoami
from probe.place.rtnetlink import Route
from probe.place.this_network import NetworkState
from tests.support import servers
from tests.support.factory import app_run
from tests.support.owned_probe import HOME, VantageConfig, probe_config, watch_of
from tests.support.servers import MappedDialer

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"asn": 64500, "country": "ZZ"}'


async def test_a_probe_that_takes_over_leaves_the_same(tmp_path, authority, monkeypatch):
    """After a run, a visit that failed, a segment that NATS acknowledged, and an answer about the network."""
    routes = (*HOME.routes, Route(6, "wlan0", "fe80::1", "2001:db8::7"))
    monkeypatch.setattr(whoami, "current_network", lambda: HOME._replace(routes=routes))
    network = Network(MappedDialer(resolver=1), authority.file)
    visits = VisitSchedule.start(600.0).after_visit(failed=True)
    async with servers.tcp(servers.says(ANSWER)) as port:
        vantage = VantageConfig(whoami=f"http://127.0.0.1:{port}")
        settings = probe_config(tmp_path, metered="no", deliver_every_s=600, vantage=vantage)
        first = Probe(settings, network, watch_of(settings))
        async with first.opened(visits=visits) as spool:
            assert await first.make_run(asyncio.Event())
            spool.add(app_run(1))
            (sealed,) = spool.seal_due(first._key, now_ms(), 0)
            spool.mark_sent(sealed.id, now_ms())
            first._path_notice.reported, first._renewal.asked_s = "vpn", 7.0
            left = await first.memory()
    second = Probe(settings, network, watch_of(settings))
    memory = msgspec.json.decode(msgspec.json.encode(left), type=WorkMemory)
    async with second.opened(memory=memory, visits=visits) as spool:
        assert await second.memory() == left
        assert (second.visits, spool.unsent()) == (visits, [])
    assert isinstance(left.vantage.whoami.kept.network, NetworkState)
    assert [s.segment_id for s in left.sent] == [sealed.id]
