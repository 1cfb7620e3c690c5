"""A probe that connects only to deliver: over TLS first, over WebSocket when that is blocked."""

import asyncio
import contextlib
import json
import time

import msgspec
import pytest

from infra.nats import nats_server
from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.custody import visits
from probe.custody.delivery import Delivery
from probe.custody.spool import Spool
from probe.home.config import Config
from probe.home.files import PAUSED, WITHDRAWN
from probe.home.notebook import Notebook
from probe.nats import link
from probe.nats.link import connect
from probe.protocol.keys import Key
from tests.support import servers
from tests.support.deliveries import delivering
from tests.support.factory import app_run
from tests.support.fake_collector import FakeCollector, eventually

CORE, PROBE, OPERATOR = Key.create("user"), Key.create("user"), Key.create("operator")
SECURE = """
tls { cert_file: "%(pem)s", key_file: "%(pem)s", handshake_first: "auto" }
allow_non_tls: true
websocket { listen: "127.0.0.1:-1", tls { cert_file: "%(pem)s", key_file: "%(pem)s" } }
"""


class Secure:
    """A real nats-server that speaks tls:// and wss:// under the name localhost; `urls` by scheme."""

    def __init__(self, folder, authority):
        authority.issue("localhost")
        pem = max(
            (f for f in authority.file.parent.glob("*.pem") if f != authority.file), key=lambda f: f.stat().st_mtime_ns
        )
        self.server = nats_server.Server(nats_server.write_config(folder, core_users=[CORE.id], probes=[PROBE.id]))
        with self.server.config.open("a") as config:
            config.write(SECURE % {"pem": pem})
        self.server.start()
        ports = json.loads(next(folder.glob(f"*_{self.server.pid}.ports")).read_text())
        port = ports["nats"][0].rsplit(":", 1)[1]
        self.core = f"nats://127.0.0.1:{port}"
        self.tls = f"tls://localhost:{port}"
        self.wss = f"wss://localhost:{ports['websocket'][0].rsplit(':', 1)[1]}"


@pytest.fixture
def secure(tmp_path, authority):
    """A server with a certificate that the tests' authority vouches for."""
    secure = Secure(tmp_path / "nats", authority)
    yield secure
    secure.server.stop()


@pytest.fixture
def spool(tmp_path):
    """The probe's spool."""
    opened = Spool(tmp_path / "probe" / "spool.db")
    yield opened
    opened.close()


def config(urls, authority, **settings):
    """A probe's configuration that visits often."""
    quick = {
        "deliver_every_s": 0.4, "receipt_wait_s": 3, "receipt_timeout_s": 0.3, "ack_timeout_s": 2, "flush_s": 5,
        "reconnect_most_s": 0.3, "nats_ca": str(authority.file),
    }  # fmt: skip
    return Config(data="unused", watch="unused", nats=tuple(urls), operator=OPERATOR.id, **(quick | settings))


def states(spool):
    """The state of each segment, in order."""
    return [e.state for e in spool.ledger()]


@pytest.mark.parametrize("scheme", ["tls", "wss"])
async def test_both_transports_carry_requests_of_every_size(secure, authority, scheme):
    """With the certificate verified; frames below and above 126 bytes and 64 KB, and the server's pings."""
    core = await connect([secure.core], CORE, "core", within_s=10, ca_file=authority.file)

    async def echo(message):
        await message.respond(message.data)

    await core.subscribe("q.*", echo)
    probe = await connect(
        [getattr(secure, scheme)],
        PROBE,
        "probe",
        inbox_prefix=f"_INBOX_{PROBE.id}",
        within_s=10,
        ca_file=authority.file,
    )
    await (await core.ready()).flush()
    for size in (0, 1, 125, 126, 1000, 65_535, 65_536, 100_000):
        answer = await probe.request(f"q.{PROBE.id}", bytes(i % 251 for i in range(size)), timeout_s=10)
        assert answer.data == bytes(i % 251 for i in range(size))
    await probe.close()
    await core.close()


@pytest.mark.parametrize("scheme", ["tls", "wss"])
async def test_a_certificate_of_an_unknown_authority_is_refused(secure, stranger, scheme):
    """Nothing is sent to a collector that can't prove its name."""
    with pytest.raises(UserError, match="certificate verify failed"):
        await connect([getattr(secure, scheme)], PROBE, "probe", within_s=2, ca_file=stranger.file)


async def test_tls_is_never_downgraded(tmp_path, authority):
    """A server (or an attacker) that greets in plain text at a tls:// address receives no NATS message."""
    heard = []

    async def greet(reader, writer):
        writer.write(b'INFO {"server_id":"X","version":"2.15.0","max_payload":1048576,"nonce":"n"}\r\n')
        heard.append(await reader.read(4096))

    async with servers.tcp(greet) as port:
        with pytest.raises(UserError, match="does not answer"):
            await connect([f"tls://localhost:{port}"], PROBE, "probe", within_s=1, ca_file=authority.file)
    assert heard
    assert all(h[:1] in (b"\x16", b"") for h in heard)  # a ClientHello, and nothing else
    assert not any(PROBE.id.encode() in h for h in heard)


async def test_it_connects_delivers_and_disconnects(secure, authority, spool):
    """No connection before there is something to deliver, and none after its receipt."""
    collector, before = FakeCollector(OPERATOR), Notebook(spool.path.parent).state
    async with collector.at(secure.core, CORE), delivering(config([secure.tls], authority), PROBE, spool):
        await asyncio.sleep(0.5)
        assert connections(secure) == {"collector"}
        spool.add(app_run(3))
        await eventually(lambda: states(spool) == ["stored"])
        await eventually(lambda: connections(secure) == {"collector"})
        spool.add(app_run(1))
        await eventually(lambda: states(spool) == ["stored", "stored"])
        await eventually(lambda: connections(secure) == {"collector"})
    assert len(collector.deliveries) == 2
    noted = Notebook(spool.path.parent).state
    assert noted.delivered_ms > before.delivered_ms
    assert abs(noted.clock_offset_ms) < 1000
    assert 10_000 < spool.traffic(now_ms()) < 40_000  # two TLS connections


async def test_when_tls_is_blocked_it_uses_wss_and_begins_with_it_next_time(secure, authority, spool, monkeypatch):
    """The first address refuses, the second does not answer, the third is a WebSocket."""
    monkeypatch.setattr(link, "_CONNECT_S", 1.0)
    collector = FakeCollector(OPERATOR)
    silent = []

    async def say_nothing(reader, writer):
        silent.append(1)
        await reader.read()

    async with servers.tcp(say_nothing) as port, collector.at(secure.core, CORE):
        urls = ["tls://localhost:1", f"tls://localhost:{port}", secure.wss]
        async with delivering(config(urls, authority), PROBE, spool):
            for count in (1, 2):
                spool.add(app_run(1))
                await eventually(lambda n=count: states(spool) == ["stored"] * n, 20)
    assert len(silent) == 1


async def test_a_receipt_that_was_missed_is_asked_for_at_the_next_visit(secure, authority, spool):
    """The segment is sent once, and its receipt is fetched on the next visit."""
    collector = FakeCollector(OPERATOR)
    collector.mute = True
    settings = config([secure.tls], authority, receipt_wait_s=0.2)
    async with collector.at(secure.core, CORE), delivering(settings, PROBE, spool):
        spool.add(app_run(1))
        await eventually(lambda: states(spool) == ["stored"])
    assert len(collector.deliveries) == 1
    assert set(collector.asked) == set(collector.seen)


async def test_without_a_collector_it_tries_again_for_ever(authority, spool):
    """The error is noted for `status`, and nothing is dropped."""
    async with delivering(config(["tls://localhost:1"], authority, flush_s=0.2), PROBE, spool):
        spool.add(app_run(1))
        await eventually(lambda: Notebook(spool.path.parent).state.delivery_error)
    assert states(spool) == ["spooled"]
    assert "localhost:1" in Notebook(spool.path.parent).state.delivery_error


async def test_a_visit_that_takes_too_long_is_interrupted_and_goes_on_after_the_next_run(
    secure, authority, spool, monkeypatch
):
    """Nobody acknowledges here. Otherwise a long backlog on a slow line would keep the probe from measuring."""
    monkeypatch.setattr(visits, "_LONGEST_S", 0.5)
    settings = config([secure.tls], authority, deliver_every_s=600, ack_timeout_s=30)
    delivery = Delivery(settings, PROBE, spool, Notebook(spool.path.parent))
    visiting, stop = visits.Visits(delivery, cadence_s=0.1), asyncio.Event()
    async with silent_subscriber(secure):
        spool.add(app_run(1))
        before = time.monotonic()
        await visiting.after_run(stop)
        assert 0.5 <= time.monotonic() - before < 5
        assert (visiting.schedule.due_s <= time.monotonic(), visiting.schedule.failures) == (True, 0)
    async with FakeCollector(OPERATOR).at(secure.core, CORE):
        await visiting.after_run(stop)
        assert visiting.schedule.due_s > time.monotonic() + 200
    assert states(spool) == ["stored"]


@contextlib.asynccontextmanager
async def silent_subscriber(secure):
    """Somebody who takes segments and acknowledges none, so that the server does not refuse them at once."""
    connection = await connect([secure.core], CORE, "silent", within_s=10)

    async def ignore(_message):
        """Answer nothing."""

    await connection.subscribe("m.*", ignore)
    await (await connection.ready()).flush()
    try:
        yield
    finally:
        await connection.close()


@pytest.mark.parametrize("file", [PAUSED, WITHDRAWN])
async def test_while_paused_or_withdrawn_nothing_leaves(secure, authority, spool, file):
    """No connection at all, not even at the end."""
    spool.path.with_name(file).write_bytes(b'{"until_ms":null}')
    seen = set()
    settings = config([secure.tls], authority)
    async with FakeCollector(OPERATOR).at(secure.core, CORE), delivering(settings, PROBE, spool):
        spool.add(app_run(1))
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            seen |= connections(secure)
            await asyncio.sleep(0.05)
    assert seen == {"collector"}
    assert states(spool) == ["spooled"]


async def test_a_wrong_clock_is_noted_and_measurements_keep_its_time(secure, authority, spool):
    """The collector's receipts are two hours older than this clock."""
    collector, run = FakeCollector(OPERATOR), app_run(1)
    honest = collector.receipt

    def old(probe, states, reason=""):
        from probe.protocol import envelope, receipt

        opened = receipt.open(honest(probe, states, reason), OPERATOR.id)
        late = msgspec.structs.replace(opened, issued_ms=opened.issued_ms - 7_200_000)
        return envelope.seal("R", msgspec.json.encode(late), OPERATOR)

    collector.receipt = old
    async with collector.at(secure.core, CORE), delivering(config([secure.tls], authority), PROBE, spool):
        spool.add(run)
        await eventually(lambda: states(spool) == ["stored"])
        await eventually(lambda: Notebook(spool.path.parent).state.clock_offset_ms > 7_199_000)
    (segment,) = collector.seen.values()
    assert segment.measurements == run


def connections(secure):
    """The names of the clients that are connected, by the server's sockets."""
    import psutil

    (port,) = {int(secure.tls.rsplit(":", 1)[1])}
    live = [c for c in psutil.Process(secure.server.pid).net_connections("tcp") if c.status == "ESTABLISHED"]
    return {"collector"} | ({"probe"} if len([c for c in live if c.laddr.port == port]) > 1 else set())
