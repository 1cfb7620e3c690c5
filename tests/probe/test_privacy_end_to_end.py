"""Nothing that identifies the volunteer is sent or written.

The machine gets recognisable names and addresses (canaries), and everything sent and written is searched for them.
"""

import asyncio
import base64
import contextlib
import os
import zlib

import msgspec
import pytest
import structlog

from infra.nats import nats_server
from probe.agent.probe import Probe
from probe.base import logs
from probe.home import files
from probe.home.config import Config, VantageConfig
from probe.place import own_names
from probe.protocol import envelope
from probe.protocol.keys import Key
from tests.support import identifiers, servers
from tests.support.fake_collector import FakeCollector, eventually
from tests.support.honest_internet import ENDPOINTS, HOST, WEB
from tests.support.identifiers import HOST_NAME, SSID, V4, V6

CORE, OPERATOR = Key.create("user"), Key.create("operator")


@pytest.fixture(autouse=True)
def default_logs():
    """Undo what the test does to the logs."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def planted(monkeypatch, tmp_path):
    """A machine whose name, addresses and Wi-Fi are canaries. A fake NetworkManager tells the Wi-Fi's name."""
    monkeypatch.setattr(own_names.socket, "gethostname", lambda: HOST_NAME)
    monkeypatch.setattr(own_names, "own_address", lambda family: V4 if family == own_names.socket.AF_INET else V6)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "nmcli").write_text(
        f"#!/bin/sh\ntouch {tmp_path}/asked\n"
        f'printf "GENERAL.CONNECTION:{SSID}\\nGENERAL.STATE:100 (connected)\\nGENERAL.METERED:no\\n"\n'
    )
    (bin_ / "nmcli").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    monkeypatch.setenv("HOSTNAME", HOST_NAME)
    return tmp_path


class TrafficRecorder:
    """Records all that is sent to the services, decrypted where they use TLS."""

    def __init__(self):
        self.sent = bytearray()

    def tee(self, handler):
        """A handler that records what it receives."""

        async def serve(reader, writer):
            copy = asyncio.StreamReader()

            async def pump():
                with contextlib.suppress(OSError):
                    while data := await reader.read(4096):
                        self.sent += data
                        copy.feed_data(data)
                copy.feed_eof()

            pumping = asyncio.create_task(pump())
            try:
                await handler(copy, writer)
            finally:
                pumping.cancel()

        return serve


@contextlib.asynccontextmanager
async def recorded(url, recorder):
    """A relay in front of the collector that records what the probe sends to NATS, byte for byte."""

    async def serve(reader, writer):
        server, sink = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))

        async def back():
            while data := await server.read(65536):
                writer.write(data)

        returning = asyncio.create_task(back())
        try:
            while data := await reader.read(65536):
                recorder.sent += data
                sink.write(data)
        finally:
            returning.cancel()
            sink.close()

    async with servers.tcp(serve) as port:
        yield f"nats://127.0.0.1:{port}"


def test_the_search_finds_every_form_of_a_canary():
    """Each form is found inside other text, and none in text without canaries."""
    for name, raw in identifiers.forms().items():
        assert name in identifiers.leaks(b"before " + raw + b" after"), name
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + V4.encode() + b" and more")
        assert identifiers.leaks(encoded), shift
    assert identifiers.leaks(b'{"address":"198.51.100.1:443","at_ms":1795300492799}') == []


async def test_nothing_identifying_leaves_or_is_written(planted, town, network, authority, capfd):
    """The services put the caller's addresses into their answers wherever they can."""
    recorder, collector = TrafficRecorder(), FakeCollector(OPERATOR)
    page = f"<title>{V4} is blocked</title>{V4} {V6} {HOST_NAME} {SSID}".encode()
    head = f"HTTP/1.1 302 Found\r\nLocation: http://warning.example/?ip={V4}&ip6={V6}&host={HOST_NAME}\r\n"
    answer = head.encode() + f"Server: {V4}\r\nContent-Length: {len(page)}\r\n\r\n".encode() + page
    await town.put(WEB, 80, recorder.tee(servers.says(answer)))
    names = (HOST, f"{V4.replace('.', '-')}.dynamic.example", f"{HOST_NAME}.lan")
    await town.put(WEB, 443, recorder.tee(servers.site()), authority.issue(*names))
    await town.put(ENDPOINTS[0], 443, recorder.tee(servers.says(f"{V4} {HOST_NAME}".encode())))
    honest = town.system
    town.system = lambda query: (recorder.sent.extend(query), honest(query))[1]
    data = planted / "probe"
    key = Key.load_or_create(data / "probe.key", "user")
    logs.setup("debug")
    with nats_server.running(planted / "nats", core_users=[CORE.id], probes=[key.id]) as server:
        async with collector.at(server.url, CORE), recorded(server.url, recorder) as url:
            config = Config(
                data=str(data), watch="unused", nats=(url,), operator=OPERATOR.id, deliver_every_s=0.5,
                receipt_wait_s=2, vantage=VantageConfig(asn=64500, access="fixed", line="a"),
            )  # fmt: skip
            probe, stop = Probe(config, network, town.watch), asyncio.Event()
            running = asyncio.create_task(probe.run(stop))
            await eventually(lambda: len(collector.seen) >= 2, 30)
            stop.set()
            await running
    out, err = capfd.readouterr()
    sent = b"".join(msgspec.json.encode(s) for s in collector.seen.values())
    written = {f.name: f.read_bytes() for f in data.iterdir()}
    written["segment"] = zlib.decompress(written[files.LAST_SEGMENT][envelope.HEADER :])
    assert (planted / "asked").exists()  # the Wi-Fi's name could have been read
    assert any(s.op == "request" and s.status == 302 for m in _all(collector) for s in m.steps)
    assert len(recorder.sent) > 2000
    for place, found in {"services and NATS": bytes(recorder.sent), "segments": sent, **written}.items():
        assert identifiers.leaks(found) == [], place
    assert identifiers.leaks((out + err).encode()) == []


def _all(collector):
    return [m for s in collector.seen.values() for m in s.measurements]
