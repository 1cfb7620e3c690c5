"""What a check works with: the watch, the run's resolution, and connections to the addresses that the watch allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, NamedTuple

from probe.measure.plan import EVERYTHING
from probe.net import quic_process
from probe.net.failures import DNS_NO_ANSWER
from probe.place.routes import ELSEWHERE, ELSEWHERE6
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
_HOLD_S = 0.25
"""The longest time for which an open connection is held in silence."""
_ELSEWHERE = {4: ELSEWHERE, 6: ELSEWHERE6}


class NotAllowedError(Exception):
    """A check asked for an address that is neither in the watch nor resolved in this run: a bug in the check."""


class Resolution(NamedTuple):
    """How the web host resolved in this run: by the system's resolver and by the second one.

    `system6` asks the system's resolver for IPv6 addresses, where the line has IPv6; `second6` asks the second one for
    them, in a sweep.
    """

    system: Step
    second: Step
    system6: Step | None
    second6: Step | None


class Context:
    """One run's state, shared by its checks. Times are seconds."""

    def __init__(self, watch: Watch, network: Network, clock: Clock, plan: RunPlan = EVERYTHING) -> None:
        self.watch = watch
        self.network = network
        self.clock = clock
        self.plan = plan
        self.ipv6 = self._has_family(6)
        """Whether the line has IPv6, as far as routes tell."""
        self.ipv4 = self._has_family(4) or not self.ipv6
        self.hold_s = min(_HOLD_S, watch.timeout_s / 4)
        """How long an open connection is held in silence."""
        self.control_reached6 = False
        """Whether the control could be connected to over IPv6."""
        self._suspicious = {4: asyncio.Event(), 6: asyncio.Event()}
        self._checks_done = asyncio.Event()
        self._resolution: asyncio.Task[Resolution] | None = None
        self._lookups: dict[tuple[str, Part, int], asyncio.Task[Step]] = {}
        self._resolved_addresses: set[str] = set()

    @property
    def web(self) -> Web:
        """The web surface. Only for checks of that surface."""
        assert self.watch.surfaces.web is not None
        return self.watch.surfaces.web

    async def resolution(self) -> Resolution:
        """The web host's resolution, made once in a run and shared."""
        if self._resolution is None:
            self._resolution = asyncio.create_task(self._resolve())
        return await asyncio.shield(self._resolution)

    async def resolve(self, host: str, part: Part = "target", family: Literal[4, 6] = 4) -> Step:
        """Resolve a name by the system's resolver, once in a run. Its usable answers may be contacted from then on."""
        lookup = self._lookups.get((host, part, family))
        if lookup is None:
            lookup = asyncio.create_task(
                self.network.resolve(host, limit=self.watch.timeout_s, clock=self.clock, part=part, family=family)
            )
            self._lookups[host, part, family] = lookup
        step = await asyncio.shield(lookup)
        self._observe(step)
        self._resolved_addresses.update(step.answers)
        return step

    async def web_addresses(self) -> tuple[str, ...]:
        """Up to three addresses at which to test the web host.

        The first is the system resolver's. The second, if it is another one, is the second resolver's, or the watch's
        when that resolver does not answer. The third is the IPv6 address, which a light run tests only where the line
        has no IPv4 (for lines with both see `web_address6`).
        """
        system, second, system6, _ = await self.resolution()
        ipv6 = system6.answers if system6 and (self.plan.sweep or not self.ipv4) else ()
        known = [a for a in (*second.answers, *self.web.addresses) if self._is_usable(a)]
        return (
            *[a for a in system.answers if self._is_usable(a)][:1],
            *(a for a in known[:1] if a not in (*system.answers, *ipv6)),
            *[a for a in ipv6 if self._is_usable(a)][:1],
        )

    async def web_address6(self) -> str:
        """The IPv6 address that a light run only connects to, where the line has both families; "" for none."""
        system6 = (await self.resolution()).system6
        if self.plan.sweep or not self.ipv4 or system6 is None:
            return ""
        return next((a for a in system6.answers if self._is_usable(a)), "")

    def has_route(self, address: str) -> bool:
        """Whether this line has a route to an address."""
        return self.network.dialer.has_route(address)

    def _is_usable(self, address: str) -> bool:
        return not is_bogon(address) and (self.ipv6 if ":" in address else self.ipv4)

    def _has_family(self, family: Literal[4, 6]) -> bool:
        web = self.watch.surfaces.web
        listed: Iterable[str] = (*self.watch.control.addresses, *(web.addresses if web else ()), _ELSEWHERE[family])
        return any(self.has_route(a) for a in listed if (":" in a) == (family == 6))

    async def connect(self, target: str, address: str, port: int, part: Part = "target") -> TcpConnection:
        """Connect to an address that the watch lists or that one of its names resolved to in this run.

        Raises NotAllowedError for any other, which is never contacted.
        """
        self._permit(address, port)
        return await self.network.connect(
            target, address, port, limit=self.watch.timeout_s, clock=self.clock, part=part, on_step=self._observe
        )

    def handshake(self, target: str, address: str, name: str, part: Part = "target") -> QuicHandshake:
        """A QUIC handshake, for `quic` to make. Raises NotAllowedError for what `connect` may not contact.

        Its timeout is half of other steps': a browser would have changed to TCP by then, and a server without QUIC
        does not answer at all.
        """
        self._permit(address, quic_process.PORT)
        limit_s = self.watch.timeout_s / 2
        return quic_process.QuicHandshake(part=part, target=target, address=address, name=name, limit_s=limit_s)

    async def quic(self, *rows: Sequence[QuicHandshake]) -> list[Step]:
        """Make QUIC handshakes, those of a row one after the other. Their failures raise no doubt about the service."""
        return await quic_process.handshakes(rows, self.network, self.clock)

    async def wait_for_doubt(self, family: Literal[4, 6]) -> bool:
        """Wait until it is clear whether the run needs the control's handshake over an IP family.

        True as soon as a step of the service fails or looks wrong, or when a check still waits after a quarter of the
        timeout, not counting the time for which connections are held. False when all checks are done and nothing was
        wrong: then the service itself has shown that the line works.
        """
        suspicious = self._suspicious[family]
        events = [asyncio.create_task(e.wait()) for e in (suspicious, self._checks_done)]
        try:
            await asyncio.wait(
                events, timeout=2 * self.hold_s + self.watch.timeout_s / 4, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for event in events:
                event.cancel()
        return suspicious.is_set() or not self._checks_done.is_set()

    def mark_checks_done(self) -> None:
        """End `wait_for_doubt`: all checks are done."""
        self._checks_done.set()

    def _permit(self, address: str, port: int) -> None:
        resolved = address in self._resolved_addresses and port in _WEB_PORTS and not is_bogon(address)
        if not resolved and not self.watch.allows(address, port):
            raise NotAllowedError(endpoint(address, port))

    def _observe(self, step: Step) -> None:
        is_ipv6 = step.address.startswith("[") or step.via in ("system6", "second6")
        connected = step.op == "connect" and step.failure is None
        self.control_reached6 |= is_ipv6 and step.part == "control" and connected
        no_address = step.op == "resolve" and step.failure == DNS_NO_ANSWER  # many names have no IPv6 address
        if step.part == "target" and _is_suspicious(step) and not (is_ipv6 and no_address):
            self._suspicious[6 if is_ipv6 else 4].set()

    async def close(self) -> None:
        """Cancel the look-ups that are still running."""
        running = [*self._lookups.values(), *([self._resolution] if self._resolution else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _resolve(self) -> Resolution:
        server = (self.watch.second_resolver.address, self.watch.second_resolver.port)

        async def resolve_second(family: Literal[4, 6]) -> Step:
            step = await self.network.resolve_second(
                self.web.host, server, limit=self.watch.timeout_s, clock=self.clock, family=family
            )
            self._observe(step)
            self._resolved_addresses.update(step.answers)
            return step

        system, second, system6, second6 = await asyncio.gather(
            self.resolve(self.web.host),
            resolve_second(4),
            self.resolve(self.web.host, family=6) if self.ipv6 else _nothing(),
            resolve_second(6) if self.ipv6 and self.plan.sweep else _nothing(),
        )
        return Resolution(system, second, system6, second6)


async def _nothing() -> None:
    """The place of a look-up that is not made."""


def _is_suspicious(step: Step) -> bool:
    """Whether a step may be evidence of a block: a failure, a wrong certificate, a block page or differing replies."""
    replies = {(r.rcode, r.answers) for r in step.replies}
    return bool(step.failure or step.certificate_failure or step.fingerprint) or len(replies) > 1
