"""The child process that makes QUIC handshakes: its input, its output, and that it always ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import msgspec
import psutil
import pytest

from probe.base.clock import Clock
from probe.net import quic_process
from tests.probe.conftest import LIMIT, PATIENT
from tests.support import quic_server
from tests.support.servers import LOOPBACK

ADDRESS, OTHER, HOST = "198.51.100.7", "198.51.100.8", "service.example"


PROBE = """
import subprocess, sys, time
process = subprocess.Popen([sys.executable, "-m", "probe.net.quic_process"], stdin=subprocess.PIPE)
process.stdin.write(sys.argv[1].encode() + b"\\n")
process.stdin.flush()
print(process.pid, flush=True)
time.sleep(60)
"""


def handshake(address=ADDRESS, limit=PATIENT, **fields):
    """A handshake to make."""
    return quic_process.QuicHandshake(target=HOST, address=address, name=HOST, limit_s=limit, **fields)


async def test_rows_are_made_in_parallel_and_the_handshakes_of_a_row_in_order(network, dialer, authority):
    """The times are by the run's own clock."""
    clock = Clock()
    async with quic_server.server(authority.write(HOST)) as port, quic_server.answering(lambda _: []) as silent:
        dialer.udp_ports |= {(ADDRESS, 443): port, (OTHER, 443): silent}
        before = clock()
        parallel, first, second = await quic_process.handshakes(
            [[handshake(OTHER, LIMIT)], [handshake(), handshake(part="contrast")]], network, clock
        )
        after = clock()
    assert [s.failure for s in (first, second, parallel)] == [None, None, "generic_timeout_error"]
    assert [s.part for s in (first, second, parallel)] == ["target", "contrast", "target"]
    assert before < first.start_ms < first.end_ms <= second.start_ms < second.end_ms < after
    assert before < parallel.start_ms < first.start_ms < parallel.end_ms < after
    assert (first.address, first.certificate_failure, first.names) == (f"{ADDRESS}:443", None, (HOST,))


async def test_where_nothing_answers_quic_nothing_is_tested(network, dialer, clock):
    """As in the lab: there is no step, and no process is started."""
    assert await quic_process.handshakes([[handshake()], []], network, clock) == []
    assert dialer.dialed == []


def test_the_probe_itself_does_not_load_aioquic():
    """Its memory would be held all the time."""
    code = "import sys, probe.agent.probe; from probe.measure import registry; registry.checks();"
    code += "print('aioquic' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


async def test_no_process_is_left_after_a_cancelled_run(network, dialer, clock):
    """It has ended when the cancelled task has."""
    async with quic_server.answering(lambda _: []) as silent:
        dialer.udp_ports[ADDRESS, 443] = silent
        task = asyncio.create_task(quic_process.handshakes([[handshake(limit=60)]], network, clock))
        while not (children := child_processes()):  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert not children[0].is_running()


async def test_a_process_that_takes_too_long_is_killed_and_gives_no_steps(network, dialer, clock, monkeypatch):
    """A slow machine is no fact about the network."""
    monkeypatch.setattr(quic_process, "_START_S", -0.3)
    async with quic_server.answering(lambda _: []) as silent:
        dialer.udp_ports[ADDRESS, 443] = silent
        assert await quic_process.handshakes([[handshake(limit=LIMIT)]], network, clock) == []
    assert child_processes() == []


async def test_without_a_working_child_process_there_are_no_steps(network, dialer, clock, monkeypatch, tmp_path):
    """When aioquic is broken, and when Python can't be started."""
    (tmp_path / "aioquic").mkdir()
    (tmp_path / "aioquic" / "__init__.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with quic_server.answering(lambda _: []) as silent:
        dialer.udp_ports[ADDRESS, 443] = silent
        assert await quic_process.handshakes([[handshake()]], network, clock) == []
        monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
        assert await quic_process.handshakes([[handshake()]], network, clock) == []


def test_the_process_ends_when_the_probe_is_killed(authority):
    """`panic` kills the probe, and nothing may be sent from then on."""
    with quic_server.silent() as port:
        dialled = quic_process.DialledHandshake(handshake(limit=60), (LOOPBACK, port))
        order = quic_process.QuicOrder([[dialled]], str(authority.file), time.monotonic())
        command = [sys.executable, "-c", PROBE, msgspec.json.encode(order).decode()]
        parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        child = psutil.Process(int(parent.stdout.readline()))
        time.sleep(0.1)
        assert child.is_running()
        parent.kill()
        parent.communicate()
        psutil.wait_procs([child], timeout=10)
    assert not child.is_running()


@pytest.fixture(autouse=True)
def _no_leftovers():
    yield
    assert child_processes() == []


def child_processes():
    """This process's children that make QUIC handshakes."""
    return [c for c in psutil.Process().children() if "probe.net.quic_process" in c.cmdline()]
