"""`python -m infra.bench.weight`: how light a probe is on a home line. Writes docs/probe-light.md.

The shipped probe runs in a process of its own against the lab's country and delivers over TLS to a real nats-server.
What it takes is read from /proc (Linux) and counted at a relay in front of the collector; nothing leaves loopback.
The numbers of a day are those of a round and a delivery, times how many of them a day has.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec

from infra.bench.weight import page as light_report
from infra.bench.weight.weighed import ProbeWeight
from infra.child import as_child, blockonset
from infra.lab import scenario as scenarios
from infra.lab.country import authority_file, map_file
from infra.lab.servers.certificates import Issuer
from infra.lab.watch import watch_toml
from infra.nats import nats_server
from probe.measure import bytes_on_wire
from probe.nats.link import connect
from probe.protocol import receipt as receipts
from probe.protocol import segment, watch_file
from probe.protocol.keys import Key
from probe.protocol.measurement import Measurement, Segment
from probe.protocol.receipt import Receipt, SegmentFate

SCENARIO = "staggered"
ROUNDS = 24
CADENCE_S, DELIVER_S, IDLE_S = 1.5, 12.0, 25.0
LATER_MS = 86_400_000
"""The scenario's zero time lies a day ahead: nothing is blocked yet, and a round is as dear as it can be."""
_TLS = 'tls { cert_file: "%(pem)s", key_file: "%(pem)s", handshake_first: "auto" }\nallow_non_tls: true\n'
_TICKS = os.sysconf("SC_CLK_TCK")


class RecordingCollector:
    """Acknowledges and receipts like the aggregator, with real signatures, and keeps the segments."""

    def __init__(self, operator: Key) -> None:
        self._operator = operator
        self.segments: list[Segment] = []
        self.sizes: list[int] = []

    async def serve(self, url: str, key: Key) -> None:
        """Answer `m.*` and `q.*` until cancelled."""
        connection = await connect([url], key, "collector", within_s=10)
        client = await connection.ready()

        async def take(message) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - nats-py's
            opened = segment.open(message.data)
            self.segments.append(opened.segment)
            self.sizes.append(len(message.data))
            await message.respond(b'{"stream":"MEASUREMENTS","seq":%d}' % len(self.segments))
            entry = SegmentFate(subject=opened.id, state="stored")
            receipt = Receipt(probe=opened.segment.probe, issued_ms=time.time_ns() // 1_000_000, entries=(entry,))
            await client.publish(f"r.{opened.segment.probe}", receipts.sign(receipt, self._operator))

        await connection.subscribe("m.*", take)
        try:
            await asyncio.Event().wait()
        finally:
            await connection.close()

    def runs(self, *, sweep: bool) -> list[list[Measurement]]:
        """The measurements of each run of a kind."""
        found: dict[str, list[Measurement]] = {}
        for m in (m for s in self.segments for m in s.measurements if m.sweep == sweep):
            found.setdefault(m.run_id, []).append(m)
        return list(found.values())


@contextlib.asynccontextmanager
async def relay(port: int) -> AsyncIterator[tuple[int, list[int]]]:
    """A port that leads to another one, and the bytes of each connection over it, both directions."""
    carried: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        number = len(carried)
        carried.append(0)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    carried[number] += len(data)
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], carried
    finally:
        server.close()


@contextlib.contextmanager
def child(words: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process for the time of a block, ended by its number."""
    with log.open("ab") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, preexec_fn=as_child())  # noqa: PLW1509
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def memory(pid: int) -> tuple[float, float]:
    """Resident memory of a process now and at most, in MB of 1,000,000 bytes."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    now, most = (int(fields[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return now, most


def cpu(pid: int) -> float:
    """Processor time that a process has taken, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def weigh(folder: Path) -> ProbeWeight:
    """Start everything, let the probe work, then let it idle. Takes about a minute and a half."""
    scenario, zero_ms = scenarios.load(SCENARIO), time.time_ns() // 1_000_000 + LATER_MS
    operator, core, probe = Key.create("operator"), Key.create("user"), folder / "probe"
    own = Key.load_or_create(probe / "probe.key", "user")
    raw = watch_toml(scenario, zero_ms)
    (folder / "watch.signed").write_bytes(watch_file.sign(raw, operator))
    authority = Issuer("Bench authority")
    pem, ca = folder / "collector.pem", folder / "ca.pem"
    pem.write_bytes(authority.issue("localhost"))
    ca.write_bytes(_public(authority))
    server = nats_server.Server(nats_server.write_config(folder / "nats", core_users=[core.id], probes=[own.id]))
    with server.config.open("a") as config:
        config.write(_TLS % {"pem": pem})
    server.start()
    collector = RecordingCollector(operator)
    country = [*blockonset("lab", "country"), "--scenario", SCENARIO, "--data", str(folder), "--zero-ms", str(zero_ms)]
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(server.stop)
        stack.enter_context(child(country, folder / "country.log"))
        port, carried = await stack.enter_async_context(relay(int(server.url.rsplit(":", 1)[1])))
        serving = asyncio.create_task(collector.serve(f"nats://127.0.0.1:{server.url.rsplit(':', 1)[1]}", core))
        stack.callback(serving.cancel)
        await _until(lambda: map_file(folder).exists())
        file = probe / "probe.toml"
        file.write_text(_config(folder, port, operator.id, ca))
        line = f"{scenario.providers[0].id}-1"

        def start(cadence_s: float) -> list[str]:
            words = [str(file), str(map_file(folder)), line, str(authority_file(folder)), str(cadence_s), "86400"]
            return [sys.executable, "-m", "infra.bench.weight.probe_process", *words]

        with child(start(CADENCE_S), folder / "probe.log") as process:
            await _until(lambda: len(collector.segments) >= 4)
            rounds, used, began = _rounds(probe), cpu(process.pid), cpu(process.pid)
            await _until(lambda: _rounds(probe) >= rounds + ROUNDS)
            cpu_round = (cpu(process.pid) - used) / (_rounds(probe) - rounds)
        with child(start(600), folder / "probe.log") as process:
            seen = len(collector.segments)
            await _until(lambda: len(collector.segments) > seen, 90)  # one round and one delivery, then nothing
            await asyncio.sleep(3)
            used = cpu(process.pid)
            await asyncio.sleep(IDLE_S)
            idle = (cpu(process.pid) - used) / IDLE_S
            now, most = memory(process.pid)
    light, sweeps = collector.runs(sweep=False), collector.runs(sweep=True)
    return ProbeWeight(
        rss_idle=now,
        rss_most=most,
        cpu_start=began,
        cpu_round=cpu_round,
        cpu_idle_share=idle,
        light=[bytes_on_wire.wire_bytes(r) for r in light],
        sweep=[bytes_on_wire.wire_bytes(r) for r in sweeps],
        handshakes_light=statistics.mean(len(_handshakes([r])) for r in light),
        handshakes_sweep=statistics.mean(len(_handshakes([r])) for r in sweeps),
        payload_tls=_handshakes([*light, *sweeps]),
        deliveries=[c for c in carried if c],
        rounds_a_delivery=len([*light, *sweeps]) / max(1, len([c for c in carried if c])),
        segments=collector.sizes,
        cadence_s=600.0,
        sweep_s=watch_file.read(raw, "the lab's watch").sweep_s,
    )


def _handshakes(runs: list[list[Measurement]]) -> list[int]:
    return [
        s.sent + s.received
        for run in runs
        for i, m in enumerate(run)
        for s in m.steps
        if s.op == "handshake" and not s.failure and (i == 0 or s.part != "control")
    ]


def _rounds(probe: Path) -> int:
    try:
        return int(msgspec.json.decode((probe / "state.json").read_bytes())["runs"])
    except (OSError, KeyError, msgspec.DecodeError):
        return 0


def _config(folder: Path, port: int, operator: str, ca: Path) -> str:
    return (
        f'data = "{folder}/probe"\nwatch = "{folder}/watch.signed"\noperator = "{operator}"\nnats_ca = "{ca}"\n'
        f'nats = ["tls://localhost:{port}"]\ndeliver_every_s = {DELIVER_S}\n[vantage]\nasn = 64500\nline = "a"\n'
    )


def _public(authority: Issuer) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    return authority.certificate.public_bytes(Encoding.PEM)


async def _until(done, within_s: float = 120.0) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    until = time.monotonic() + within_s
    while not done():
        if time.monotonic() > until:
            raise TimeoutError("the probe did not get on; see its log")
        await asyncio.sleep(0.1)


def main() -> None:
    """Weigh, and write the page."""
    with tempfile.TemporaryDirectory(prefix="blockonset-light-") as folder:
        found = asyncio.run(weigh(Path(folder)))
    page = light_report.page(found)
    Path("docs/probe-light.md").write_text(page, encoding="utf-8")
    sys.stdout.write(page)


if __name__ == "__main__":
    main()
