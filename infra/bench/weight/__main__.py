"""`python -m infra.bench.weight`: what a probe costs its host and its line. Writes docs/probe-light.md.

The shipped agent runs against the lab's country, with a worker for each run, and delivers over TLS to a real
nats-server. Memory and processor time are read from /proc (Linux), and traffic is counted by a relay in front of the
collector; nothing leaves loopback. A day's numbers are those of a run and of a delivery, times their number per day.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec

from infra.bench.weight.page import page
from infra.bench.weight.processes import PeakMemory, cpu_s, memory_mb
from infra.bench.weight.weighed import ProbeWeight
from infra.child import as_child, blockonset
from infra.lab.country import authority_file, map_file
from infra.lab.scenario import load
from infra.lab.servers.authority import Authority
from infra.lab.watch import watch_toml
from infra.nats import nats_server
from probe.base.clock import now_ms
from probe.home import files
from probe.home.config import DELIVER_EVERY_S
from probe.measure import bytes_on_wire
from probe.nats.link import connect
from probe.protocol import receipt, segment, watch_file
from probe.protocol.keys import Key
from probe.protocol.measurement import Measurement, Segment
from probe.protocol.receipt import Receipt, SegmentFate

SCENARIO = "staggered"
RUNS = 24
CADENCE_S, DELIVER_S, IDLE_S = 2.0, 12.0, 25.0
LATER_MS = 86_400_000
"""The scenario's zero time is a day ahead: nothing is blocked yet, and a run costs as much as it can."""
_TLS = 'tls { cert_file: "%(pem)s", key_file: "%(pem)s", handshake_first: "auto" }\nallow_non_tls: true\n'


class RecordingCollector:
    """Acknowledges segments and sends signed receipts like the aggregator, and keeps the segments in memory."""

    def __init__(self, operator: Key) -> None:
        self._operator = operator
        self.segments: list[Segment] = []
        self.sizes: list[int] = []

    async def serve(self, url: str, key: Key) -> None:
        """Answer `m.*` until cancelled."""
        connection = await connect([url], key, "collector", within_s=10)
        client = await connection.ready()

        async def take(message) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - nats-py's
            opened = segment.open(message.data)
            self.segments.append(opened.segment)
            self.sizes.append(len(message.data))
            await message.respond(b'{"stream":"MEASUREMENTS","seq":%d}' % len(self.segments))
            entry = SegmentFate(subject=opened.id, state="stored")
            stored = Receipt(probe=opened.segment.probe, issued_ms=now_ms(), entries=(entry,))
            await client.publish(f"r.{opened.segment.probe}", receipt.sign(stored, self._operator))

        await connection.subscribe("m.*", take)
        try:
            await asyncio.Event().wait()
        finally:
            await connection.close()

    def runs(self, *, sweep: bool) -> list[list[Measurement]]:
        """The measurements of each run: of sweeps, or of light runs."""
        by_run: dict[str, list[Measurement]] = {}
        for m in (m for s in self.segments for m in s.measurements if m.sweep == sweep):
            by_run.setdefault(m.run_id, []).append(m)
        return list(by_run.values())


@contextlib.asynccontextmanager
async def relay(port: int) -> AsyncIterator[tuple[int, list[int]]]:
    """A port that is relayed to another one, and the bytes of each connection over it, both directions together."""
    relayed: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", port)
        number = len(relayed)
        relayed.append(0)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    relayed[number] += len(data)
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, target_writer), pump(target_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], relayed
    finally:
        server.close()


@contextlib.contextmanager
def child(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs for the time of a block."""
    with log.open("ab") as log_file:
        process = subprocess.Popen(command, stdout=log_file, stderr=log_file, preexec_fn=as_child())  # noqa: PLW1509
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def weigh(folder: Path) -> ProbeWeight:
    """Start everything, let the probe work, then let it idle. Takes about a minute and a half."""
    scenario, zero_ms = load(SCENARIO), now_ms() + LATER_MS
    operator, core, probe = Key.create("operator"), Key.create("user"), folder / "probe"
    own = Key.load_or_create(probe / files.KEY, "user")
    raw = watch_toml(scenario, zero_ms)
    (folder / "watch.signed").write_bytes(watch_file.sign(raw, operator))
    authority = Authority(folder / "tls", "Bench authority")
    pem, ca = authority.write("localhost"), authority.file
    server = nats_server.Server(nats_server.write_config(folder / "nats", core_users=[core.id], probes=[own.id]))
    with server.config.open("a") as config:
        config.write(_TLS % {"pem": pem})
    server.start()
    collector = RecordingCollector(operator)
    country = [*blockonset("lab", "country"), "--scenario", SCENARIO, "--data", str(folder), "--zero-ms", str(zero_ms)]
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(server.stop)
        stack.enter_context(child(country, folder / "country.log"))
        port, relayed = await stack.enter_async_context(relay(int(server.url.rsplit(":", 1)[1])))
        serving = asyncio.create_task(collector.serve(f"nats://127.0.0.1:{server.url.rsplit(':', 1)[1]}", core))
        stack.callback(serving.cancel)
        await _until(lambda: map_file(folder).exists())
        config_file = probe / files.CONFIG
        config_file.write_text(_config(folder, port, operator.id, ca, DELIVER_S))
        line = f"{scenario.providers[0].id}-1"

        def probe_command(cadence_s: float) -> list[str]:
            arguments = [
                str(config_file),
                str(map_file(folder)),
                line,
                str(authority_file(folder)),
                str(cadence_s),
                "86400",
            ]
            return [sys.executable, "-m", "infra.bench.weight.agent", *arguments]

        peak = PeakMemory()
        with child(probe_command(CADENCE_S), folder / "probe.log") as process:
            watching = asyncio.create_task(peak.watch(process.pid))
            await _until(lambda: len(collector.segments) >= 4)
            runs_before, cpu_start = _runs(probe), cpu_s(process.pid)
            await _until(lambda: _runs(probe) >= runs_before + RUNS)
            cpu_run = (cpu_s(process.pid) - cpu_start) / (_runs(probe) - runs_before)
            watching.cancel()
        config_file.write_text(_config(folder, port, operator.id, ca, DELIVER_EVERY_S))
        with child(probe_command(600), folder / "probe.log") as process:
            segments_before = len(collector.segments)
            await _until(lambda: len(collector.segments) > segments_before, 90)  # one run and one delivery, then idle
            await asyncio.sleep(3)
            cpu_before = cpu_s(process.pid)
            await asyncio.sleep(IDLE_S)
            idle_share = (cpu_s(process.pid) - cpu_before) / IDLE_S
            idle_mb = memory_mb(process.pid)
    light, sweeps = collector.runs(sweep=False), collector.runs(sweep=True)
    return ProbeWeight(
        rss_idle=idle_mb,
        rss_worker=peak.worker_mb,
        rss_together=peak.together_mb,
        cpu_start=cpu_start,
        cpu_run=cpu_run,
        cpu_idle_share=idle_share,
        light=[bytes_on_wire.wire_bytes(r) for r in light],
        sweep=[bytes_on_wire.wire_bytes(r) for r in sweeps],
        handshakes_light=statistics.mean(len(_handshakes([r])) for r in light),
        handshakes_sweep=statistics.mean(len(_handshakes([r])) for r in sweeps),
        handshake_payloads=_handshakes([*light, *sweeps]),
        deliveries=[c for c in relayed if c],
        runs_per_delivery=len([*light, *sweeps]) / max(1, len([c for c in relayed if c])),
        segments=collector.sizes,
        measured_cadence_s=CADENCE_S,
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


def _runs(probe: Path) -> int:
    try:
        return int(msgspec.json.decode((probe / files.STATE).read_bytes())["runs"])
    except (OSError, KeyError, msgspec.DecodeError):
        return 0


def _config(folder: Path, port: int, operator: str, ca: Path, deliver_every_s: float) -> str:
    return (
        f'data = "{folder}/probe"\nwatch = "{folder}/watch.signed"\noperator = "{operator}"\nnats_ca = "{ca}"\n'
        f'nats = ["tls://localhost:{port}"]\ndeliver_every_s = {deliver_every_s}\n[vantage]\nasn = 64500\nline = "a"\n'
    )


async def _until(is_done, within_s: float = 120.0) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    deadline_s = time.monotonic() + within_s
    while not is_done():
        if time.monotonic() > deadline_s:
            raise TimeoutError("the probe made no progress; see its log")
        await asyncio.sleep(0.1)


def main() -> None:
    """Measure, and write the page."""
    with tempfile.TemporaryDirectory(prefix="blockonset-light-") as folder:
        weight = asyncio.run(weigh(Path(folder)))
    text = page(weight)
    Path("docs/probe-light.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
