"""QUIC handshakes in a process of their own, which ends when they are done.

What QUIC needs takes 6 MB in a probe that is otherwise idle, for a few seconds' use every six hours; so it is loaded
where it goes away again. There it can stall no event loop either. The process is given what the probe's own dialer
said, gives back whole steps by the run's own clock, and ends at once when the probe does.
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
from probe.net.step import StepFacts, counted, timed
from probe.protocol.addresses import endpoint
from probe.protocol.measurement import Part, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probe.net.dialer import Dialer
    from probe.net.network import Network

PORT = 443
_TO_START_S = 15.0
"""Starting Python and reading the machine's authorities takes half a second, and much longer on a slow machine."""

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
    """A handshake, and where its datagrams really go."""

    handshake: QuicHandshake
    to: tuple[str, int]


class QuicOrder(msgspec.Struct, frozen=True):
    """What the process is told: rows of handshakes, those of a row one after the other."""

    rows: list[list[DialledHandshake]]
    ca_file: str | None
    began: float
    """The run's zero: `Clock.zero`."""


def is_installed() -> bool:
    """Whether the extra `http3` is installed; nothing is loaded."""
    return importlib.util.find_spec("aioquic") is not None


async def handshakes(rows: Iterable[Sequence[QuicHandshake]], network: Network, clock: Clock) -> list[Step]:
    """Make handshakes, those of a row one after the other, and the rows at the same time. One step each.

    None come back where the dialer has nothing that speaks QUIC, or where this machine can't run or load what it takes:
    that is no fact about the network.
    """
    dialled = [_dialled(row, network.dialer) for row in rows]
    if not any(dialled):
        return []
    ca_file = str(network.ca_file) if network.ca_file else None
    longest_s = max(sum(d.handshake.limit_s for d in row) for row in dialled)
    return await _elsewhere(QuicOrder(dialled, ca_file, clock.zero), longest_s + _TO_START_S)


async def one(dialled: DialledHandshake, ca_file: Path | None, clock: Clock) -> Step:
    """Make one handshake, here, and judge the certificate that was shown."""
    asked = dialled.handshake

    async def shake(facts: StepFacts) -> None:
        with CountedSocket.datagrams(dialled.to) as wire, counted(wire, facts):
            chain = await quic.shake(wire, asked.name)
        shown = certificates.judge(chain, asked.name, ca_file)
        facts.update(certificate=shown.certificate, certificate_failure=shown.failure, names=shown.names)

    where = endpoint(asked.address, PORT)
    return await timed(
        shake, asked.limit_s, clock, part=asked.part, op="quic", target=asked.target, address=where, via=asked.name
    )


def main() -> None:
    """The process itself: an order in one line on stdin, steps on stdout. The end of stdin is the probe's own."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=QuicOrder)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    if not quic.is_there():
        sys.exit("aioquic can't be loaded")
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(carry_out(order))))


async def carry_out(order: QuicOrder) -> list[Step]:
    """Make the handshakes of an order, here. Raises UserError where there are no authorities to judge by."""
    clock = Clock(zero=order.began)
    ca_file = Path(order.ca_file) if order.ca_file else None
    certificates.anchors(ca_file)  # before any time is taken

    async def row(dialled: list[DialledHandshake]) -> list[Step]:
        return [await one(d, ca_file, clock) for d in dialled]

    return [step for steps in await asyncio.gather(*(row(r) for r in order.rows)) for step in steps]


def _end_with_stdin() -> None:
    os.read(0, 1)  # and no buffer's lock, which Python would wait for when it ends
    os._exit(1)


def _dialled(row: Sequence[QuicHandshake], dialer: Dialer) -> list[DialledHandshake]:
    found = [(asked, dialer.udp(asked.address, PORT)) for asked in row]
    return [DialledHandshake(asked, to) for asked, to in found if to]


async def _elsewhere(order: QuicOrder, wait_s: float) -> list[Step]:
    command = [sys.executable, "-P", "-m", "probe.net.quic_process"]
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=nowhere)
    except OSError as e:
        _log.warning("HTTP/3 was not tested: no process could be started", error=e.strerror)
        return []
    assert process.stdin
    assert process.stdout
    said = b""
    try:
        async with asyncio.timeout(wait_s):
            process.stdin.write(msgspec.json.encode(order) + b"\n")  # and it stays open
            said = await process.stdout.read()
            await process.wait()
    except TimeoutError:
        said = b""
    finally:
        process.stdin.close()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        return msgspec.json.decode(said, type=list[Step])
    except msgspec.DecodeError:
        _log.warning("HTTP/3 was not tested: aioquic can't be used here", code=process.returncode)
        return []


if __name__ == "__main__":
    main()
