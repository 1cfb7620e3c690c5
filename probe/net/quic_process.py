"""QUIC handshakes in a child process, which ends when they are done.

The QUIC library takes 6 MB, which a probe would hold all the time for a few seconds' use every six hours. In a child
process that memory is freed again, and the handshakes can't stall the probe's event loop. The child gets the addresses
from the probe's own dialer, returns complete steps timed by the run's clock, and ends at once when the probe ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from probe.base.clock import Clock
from probe.net import certificates, quic
from probe.net.counted_socket import CountedSocket
from probe.net.step import StepFacts, count_bytes, run_step
from probe.protocol.addresses import endpoint
from probe.protocol.measurement import Part, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probe.net.dialer import Dialer
    from probe.net.network import Network

PORT = 443
_START_S = 15.0
"""Time for the child to start. Loading Python and the machine's certificate authorities takes half a second, and much
longer on a slow machine."""

_log = structlog.get_logger(__name__)


class QuicHandshake(msgspec.Struct, frozen=True, kw_only=True):
    """One handshake to make: the fields of its step, and how long it may take, in seconds."""

    part: Part = "target"
    target: str
    address: str
    """An IP address of the service, as the watch or a resolver gave it."""
    name: str
    """The server name to send, for which the certificate is judged too."""
    limit_s: float


class DialledHandshake(msgspec.Struct, frozen=True):
    """A handshake, and the address and port that its datagrams really go to."""

    handshake: QuicHandshake
    to: tuple[str, int]


class QuicOrder(msgspec.Struct, frozen=True):
    """What the child process is to do. The handshakes of a row are made one after the other, the rows in parallel."""

    rows: list[list[DialledHandshake]]
    ca_file: str | None
    clock_zero: float
    """`Clock.zero` of the run's clock."""


def is_installed() -> bool:
    """Whether the extra `http3` is installed. This does not load it."""
    return importlib.util.find_spec("aioquic") is not None


async def handshakes(rows: Iterable[Sequence[QuicHandshake]], network: Network, clock: Clock) -> list[Step]:
    """Make handshakes, those of a row one after the other, the rows in parallel. Returns one step for each.

    Returns no steps where the dialer has nothing that answers QUIC, or where this machine can't run the child process
    or load aioquic: that is no fact about the network.
    """
    dialled = [_dialled(row, network.dialer) for row in rows]
    if not any(dialled):
        return []
    ca_file = str(network.ca_file) if network.ca_file else None
    longest_s = max(sum(d.handshake.limit_s for d in row) for row in dialled)
    return await _run_child(QuicOrder(dialled, ca_file, clock.zero), longest_s + _START_S)


async def handshake_step(dialled: DialledHandshake, ca_file: Path | None, clock: Clock) -> Step:
    """Make one handshake in this process and judge the presented certificate."""
    wanted = dialled.handshake

    async def shake_hands(facts: StepFacts) -> None:
        with CountedSocket.datagrams(dialled.to) as sock, count_bytes(sock, facts):
            chain = await quic.handshake(sock, wanted.name)
        facts.update(certificates.judge(chain, wanted.name, ca_file).facts())

    return await run_step(
        shake_hands,
        wanted.limit_s,
        clock,
        part=wanted.part,
        op="quic",
        target=wanted.target,
        address=endpoint(wanted.address, PORT),
        via=wanted.name,
    )


def main() -> None:
    """The child process: reads a QuicOrder from the first line of stdin, writes steps to stdout (both JSON).

    It ends when stdin does, since that happens when the probe ends.
    """
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=QuicOrder)
    threading.Thread(target=_exit_with_stdin, daemon=True).start()
    if not quic.can_load():
        sys.exit("aioquic can't be loaded")
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(carry_out(order))))


async def carry_out(order: QuicOrder) -> list[Step]:
    """Make the ordered handshakes in this process. Raises UserError when no certificate authorities are found."""
    clock = Clock(zero=order.clock_zero)
    ca_file = Path(order.ca_file) if order.ca_file else None
    certificates.anchors(ca_file)  # loaded now, so that no step is charged for the time

    async def row(dialled: list[DialledHandshake]) -> list[Step]:
        return [await handshake_step(d, ca_file, clock) for d in dialled]

    return [step for steps in await asyncio.gather(*(row(r) for r in order.rows)) for step in steps]


def _exit_with_stdin() -> None:
    os.read(0, 1)  # not through sys.stdin: Python waits for that buffer's lock when it exits
    os._exit(1)


def _dialled(row: Sequence[QuicHandshake], dialer: Dialer) -> list[DialledHandshake]:
    pairs = [(handshake, dialer.udp(handshake.address, PORT)) for handshake in row]
    return [DialledHandshake(handshake, to) for handshake, to in pairs if to]


async def _run_child(order: QuicOrder, wait_s: float) -> list[Step]:
    command = [sys.executable, "-P", "-m", "probe.net.quic_process"]
    pipe, devnull = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=devnull)
    except OSError as e:
        _log.warning("HTTP/3 was not tested: the child process can't be started", error=e.strerror)
        return []
    assert process.stdin
    assert process.stdout
    output = b""
    try:
        async with asyncio.timeout(wait_s):
            process.stdin.write(msgspec.json.encode(order) + b"\n")  # stdin stays open: its end ends the child
            output = await process.stdout.read()
            await process.wait()
    except TimeoutError:
        output = b""
    finally:
        process.stdin.close()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        return msgspec.json.decode(output, type=list[Step])
    except msgspec.DecodeError:
        _log.warning(
            "HTTP/3 was not tested: the child process returned no steps; is aioquic broken?", code=process.returncode
        )
        return []


if __name__ == "__main__":
    main()
