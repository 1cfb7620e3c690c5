"""What a check is given: the watch, the run's resolution, and connections to what the watch allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, NamedTuple

from probe.measure.plan import EVERYTHING
from probe.net import quic_process
from probe.net.failures import DNS_NO_ANSWER
from probe.protocol.addresses import endpoint, is_bogon

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probe.base.clock import Clock
    from probe.measure.plan import RunPlan
    from probe.net.network import Network
    from probe.net.quic_process import QuicHandshake
    from probe.net.tcp_connection import TcpConnection
    from probe.protocol.measurement import Part, Step
    from probe.protocol.watch import Watch, Web

_WEB_PORTS = (80, 443)
_ELSEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Documentation addresses (RFC 5737, RFC 3849): what leads there is the default route."""


class NotAllowedError(Exception):
    """A check asked for an address that neither the watch lists nor a resolver gave: a bug in the check."""


class Resolution(NamedTuple):
    """How the web host resolved in this run: by the system's resolver and by the second path.

    `system6` asks the system's resolver for IPv6 addresses, where the line has IPv6; `second6` asks the second path for
    them, in a sweep.
    """

    system: Step
    second: Step
    system6: Step | None
    second6: Step | None


class Context:
    """One run's means, shared by its checks. Times are seconds."""

    def __init__(self, watch: Watch, network: Network, clock: Clock, plan: RunPlan = EVERYTHING) -> None:
        self.watch = watch
        self.network = network
        self.clock = clock
        self.plan = plan
        self.ipv6 = self._speaks(6)
        """Whether the line has IPv6, as far as routes tell."""
        self.ipv4 = self._speaks(4) or not self.ipv6
        self.hold_s = min(0.25, watch.timeout_s / 4)
        """How long an open connection is held in silence."""
        self.reached6 = False
        """Whether the control could be connected to over IPv6."""
        self._trouble = {4: asyncio.Event(), 6: asyncio.Event()}
        self._checked = asyncio.Event()
        self._resolution: asyncio.Task[Resolution] | None = None
        self._asked: dict[tuple[str, Part, int], asyncio.Task[Step]] = {}
        self._answers: set[str] = set()

    @property
    def web(self) -> Web:
        """The web surface; only checks of that surface ask for it."""
        assert self.watch.surfaces.web is not None
        return self.watch.surfaces.web

    async def resolution(self) -> Resolution:
        """The web host's resolution: made once, by whoever asks first, and shared."""
        if self._resolution is None:
            self._resolution = asyncio.create_task(self._resolve())
        return await asyncio.shield(self._resolution)

    async def resolve(self, host: str, part: Part = "target", family: Literal[4, 6] = 4) -> Step:
        """Resolve a name by the system's resolver, once in a run. Its usable answers may be contacted from then on."""
        asked = self._asked.get((host, part, family))
        if asked is None:
            asked = asyncio.create_task(
                self.network.resolve(host, limit=self.watch.timeout_s, clock=self.clock, part=part, family=family)
            )
            self._asked[host, part, family] = asked
        step = await asyncio.shield(asked)
        self._see(step)
        self._answers.update(step.answers)
        return step

    async def web_addresses(self) -> tuple[str, ...]:
        """Where to test the web host: what the system's resolver says and, when that differs, what is true elsewhere.

        Up to three addresses. The second is the second path's, or the watch's when that path is closed; the third is
        the IPv6 one, which a light run tests where the line has no IPv4 (where it has, see `web_address6`).
        """
        system, second, system6, _ = await self.resolution()
        told6 = system6.answers if system6 and (self.plan.sweep or not self.ipv4) else ()
        known = [a for a in (*second.answers, *self.web.addresses) if self._usable(a)]
        return (
            *[a for a in system.answers if self._usable(a)][:1],
            *(a for a in known[:1] if a not in (*system.answers, *told6)),
            *[a for a in told6 if self._usable(a)][:1],
        )

    async def web_address6(self) -> str:
        """The IPv6 address that a light run only connects to, where the line has both families; "" for none."""
        told = (await self.resolution()).system6
        if self.plan.sweep or not self.ipv4 or told is None:
            return ""
        return next((a for a in told.answers if self._usable(a)), "")

    def has_route(self, address: str) -> bool:
        """Whether this line has a way to an address of its family."""
        return self.network.dialer.has_route(address)

    def _usable(self, address: str) -> bool:
        return not is_bogon(address) and (self.ipv6 if ":" in address else self.ipv4)

    def _speaks(self, family: Literal[4, 6]) -> bool:
        web = self.watch.surfaces.web
        listed: Iterable[str] = (*self.watch.control.addresses, *(web.addresses if web else ()), _ELSEWHERE[family])
        return any(self.has_route(a) for a in listed if (":" in a) == (family == 6))

    async def connect(self, target: str, address: str, port: int, part: Part = "target") -> TcpConnection:
        """Connect to what the watch lists, or to what its names resolved to in this run.

        Raises NotAllowedError for anything else, and never contacts it.
        """
        self._permit(address, port)
        return await self.network.connect(
            target, address, port, limit=self.watch.timeout_s, clock=self.clock, part=part, on_step=self._see
        )

    def handshake(self, target: str, address: str, name: str, part: Part = "target") -> QuicHandshake:
        """A QUIC handshake for `quic` to make, with what may be connected to. Raises NotAllowedError for the rest.

        It waits half as long as other steps: by then a browser has gone over TCP, and what speaks no QUIC is silent.
        """
        self._permit(address, quic_process.PORT)
        limit_s = self.watch.timeout_s / 2
        return quic_process.QuicHandshake(part=part, target=target, address=address, name=name, limit_s=limit_s)

    async def quic(self, *rows: Sequence[QuicHandshake]) -> list[Step]:
        """Make QUIC handshakes, those of a row one after the other. Their failures are no sign of trouble."""
        return await quic_process.handshakes(rows, self.network, self.clock)

    async def doubtful(self, family: Literal[4, 6]) -> bool:
        """Wait until the run needs more of its control over a family, or is known to need no more.

        True as soon as something of the service fails or looks wrong, or when a check still waits after a quarter of
        the timeout beside what all of them wait on purpose; False when all checks are done and nothing was wrong: the
        service itself has shown that the line works.
        """
        trouble = self._trouble[family]
        events = [asyncio.create_task(e.wait()) for e in (trouble, self._checked)]
        try:
            await asyncio.wait(
                events, timeout=2 * self.hold_s + self.watch.timeout_s / 4, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for event in events:
                event.cancel()
        return trouble.is_set() or not self._checked.is_set()

    def checked(self) -> None:
        """Say that all checks are done."""
        self._checked.set()

    def _permit(self, address: str, port: int) -> None:
        answered = address in self._answers and port in _WEB_PORTS and not is_bogon(address)
        if not answered and not self.watch.allows(address, port):
            raise NotAllowedError(endpoint(address, port))

    def _see(self, step: Step) -> None:
        six = step.address.startswith("[") or step.via in ("system6", "second6")
        self.reached6 |= six and step.part == "control" and step.op == "connect" and step.failure is None
        without = step.op == "resolve" and step.failure == DNS_NO_ANSWER  # many names have no IPv6 address
        if step.part == "target" and _wrong(step) and not (six and without):
            self._trouble[6 if six else 4].set()

    async def close(self) -> None:
        """End what is still under way."""
        under_way = [*self._asked.values(), *([self._resolution] if self._resolution else [])]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _resolve(self) -> Resolution:
        server = (self.watch.second_resolver.address, self.watch.second_resolver.port)

        async def elsewhere(family: Literal[4, 6]) -> Step:
            step = await self.network.resolve_second(
                self.web.host, server, limit=self.watch.timeout_s, clock=self.clock, family=family
            )
            self._see(step)
            self._answers.update(step.answers)
            return step

        system, second, system6, second6 = await asyncio.gather(
            self.resolve(self.web.host),
            elsewhere(4),
            self.resolve(self.web.host, family=6) if self.ipv6 else _nothing(),
            elsewhere(6) if self.ipv6 and self.plan.sweep else _nothing(),
        )
        return Resolution(system, second, system6, second6)


async def _nothing() -> None:
    """What was not asked."""


def _wrong(step: Step) -> bool:
    """Whether a step may be made something of: a failure, a wrong certificate, a block page, replies that differ."""
    said = {(r.rcode, r.answers) for r in step.replies}
    return bool(step.failure or step.certificate_failure or step.fingerprint) or len(said) > 1
