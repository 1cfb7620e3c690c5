"""The process in which QUIC is spoken: what it is given, what comes back, and that nothing of it stays."""

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
from tests.support.servers import HERE

ADDRESS, OTHER, HOST = "198.51.100.7", "198.51.100.8", "service.example"


PROBE = """
import subprocess, sys, time
process = subprocess.Popen([sys.executable, "-m", "probe.net.quic_process"], stdin=subprocess.PIPE)
process.stdin.write(sys.argv[1].encode() + b"\\n")
process.stdin.flush()
print(process.pid, flush=True)
time.sleep(60)
"""


def asked(address=ADDRESS, limit=PATIENT, **fields):
    """A handshake to make."""
    return quic_process.QuicHandshake(target=HOST, address=address, name=HOST, limit_s=limit, **fields)


async def test_rows_go_side_by_side_and_what_is_in_one_one_after_the_other(network, dialer, authority):
    """By the run's own clock, so that the steps stand among its others."""
    clock = Clock()
    async with quic_server.server(authority.write(HOST)) as port, quic_server.says(lambda _: []) as silence:
        dialer.udp_ports |= {(ADDRESS, 443): port, (OTHER, 443): silence}
        before = clock()
        beside, first, second = await quic_process.handshakes(
            [[asked(OTHER, LIMIT)], [asked(), asked(part="contrast")]], network, clock
        )
        after = clock()
    assert [s.failure for s in (first, second, beside)] == [None, None, "generic_timeout_error"]
    assert [s.part for s in (first, second, beside)] == ["target", "contrast", "target"]
    assert before < first.start_ms < first.end_ms <= second.start_ms < second.end_ms < after
    assert before < beside.start_ms < first.start_ms < beside.end_ms < after
    assert (first.address, first.certificate_failure, first.names) == (f"{ADDRESS}:443", None, (HOST,))


async def test_where_nothing_speaks_quic_nothing_is_tested(network, dialer, clock):
    """As in the lab: no step, and no process is started for it."""
    assert await quic_process.handshakes([[asked()], []], network, clock) == []
    assert dialer.dialed == []


def test_a_probe_loads_nothing_of_it():
    """Its memory stays what it was."""
    code = "import sys, probe.agent.agent; from probe.measure import registry; registry.checks();"
    code += "print('aioquic' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


async def test_no_process_is_left(network, dialer, clock):
    """Neither after a run that was cancelled, nor after its time was over."""
    async with quic_server.says(lambda _: []) as silence:
        dialer.udp_ports[ADDRESS, 443] = silence
        task = asyncio.create_task(quic_process.handshakes([[asked(limit=60)]], network, clock))
        while not (children := ours()):  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert not children[0].is_running()


async def test_a_process_that_takes_too_long_is_ended_and_tells_nothing(network, dialer, clock, monkeypatch):
    """This machine's trouble is no fact about the network."""
    monkeypatch.setattr(quic_process, "_START_S", -0.3)
    async with quic_server.says(lambda _: []) as silence:
        dialer.udp_ports[ADDRESS, 443] = silence
        assert await quic_process.handshakes([[asked(limit=LIMIT)]], network, clock) == []
    assert ours() == []


async def test_a_machine_that_can_not_load_it_tells_nothing(network, dialer, clock, monkeypatch, tmp_path):
    """An aioquic that is broken, or a Python that can't be started."""
    (tmp_path / "aioquic").mkdir()
    (tmp_path / "aioquic" / "__init__.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with quic_server.says(lambda _: []) as silence:
        dialer.udp_ports[ADDRESS, 443] = silence
        assert await quic_process.handshakes([[asked()]], network, clock) == []
        monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
        assert await quic_process.handshakes([[asked()]], network, clock) == []


def test_it_ends_when_the_probe_is_killed(authority):
    """`panic` kills the probe: nothing may be sent from then on."""
    with quic_server.silent() as port:
        dialled = quic_process.DialledHandshake(asked(limit=60), (HERE, port))
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
    assert ours() == []


def ours():
    """The processes that this one has for it."""
    return [c for c in psutil.Process().children() if "probe.net.quic_process" in c.cmdline()]
