"""What a check is given: the watch, the run's resolution, and connections to what the watch allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, NamedTuple

from probe.addresses import endpoint, is_bogon
from probe.rounds import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.clock import Clock
    from probe.measurement import Part, Step
    from probe.network import Connection, Network
    from probe.rounds import Plan
    from probe.watch import Watch, Web

_WEB_PORTS = (80, 443)
_ELSEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Documentation addresses (RFC 5737, RFC 3849): what leads there is the default route."""


class NotAllowedError(Exception):
    """A check asked for an address that neither the watch lists nor a resolver gave: a bug in the check."""


class Resolution(NamedTuple):
    """How the web host resolved in this run: by the system's resolver and by the second path.

    `system6` asks the system's resolver for IPv6 addresses, where the line has IPv6.
    """

    system: Step
    second: Step
    system6: Step | None


class Context:
    """One run's means, shared by its checks. Times are seconds."""

    def __init__(self, watch: Watch, network: Network, clock: Clock, plan: Plan = EVERYTHING) -> None:
        self.watch = watch
        self.network = network
        self.clock = clock
        self.plan = plan
        self.ipv6 = self._speaks(6)
        """Whether the line has IPv6, as far as routes tell."""
        self.ipv4 = self._speaks(4) or not self.ipv6
        self.hold_s = min(0.25, watch.timeout_s / 4)
        """How long an open connection is held in silence."""
        self._resolution: asyncio.Task[Resolution] | None = None
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
        """Resolve a name by the system's resolver. Its usable answers may be contacted from then on."""
        step = await self.network.resolve(host, limit=self.watch.timeout_s, clock=self.clock, part=part, family=family)
        self._answers.update(step.answers)
        return step

    async def web_addresses(self) -> tuple[str, ...]:
        """Where to test the web host: what the system's resolver says and, when that differs, what is true elsewhere.

        Up to three addresses. The second is the second path's, or the watch's when that path is closed; the third is
        the IPv6 one, which a light run tests where the line has no IPv4.
        """
        system, second, system6 = await self.resolution()
        told6 = system6.answers if system6 and (self.plan.sweep or not self.ipv4) else ()
        known = [a for a in (*second.answers, *self.web.addresses) if self._usable(a)]
        return (
            *[a for a in system.answers if self._usable(a)][:1],
            *(a for a in known[:1] if a not in (*system.answers, *told6)),
            *[a for a in told6 if self._usable(a)][:1],
        )

    def has_route(self, address: str) -> bool:
        """Whether this line has a way to an address of its family."""
        return self.network.dialer.has_route(address)

    def _usable(self, address: str) -> bool:
        return not is_bogon(address) and (self.ipv6 if ":" in address else self.ipv4)

    def _speaks(self, family: Literal[4, 6]) -> bool:
        web = self.watch.surfaces.web
        listed: Iterable[str] = (*self.watch.control.addresses, *(web.addresses if web else ()), _ELSEWHERE[family])
        return any(self.has_route(a) for a in listed if (":" in a) == (family == 6))

    async def connect(self, target: str, address: str, port: int, part: Part = "target") -> Connection:
        """Connect to what the watch lists, or to what its names resolved to in this run.

        Raises NotAllowedError for anything else, and never contacts it.
        """
        answered = address in self._answers and port in _WEB_PORTS and not is_bogon(address)
        if not answered and not self.watch.allows(address, port):
            raise NotAllowedError(endpoint(address, port))
        return await self.network.connect(
            target, address, port, limit=self.watch.timeout_s, clock=self.clock, part=part
        )

    async def close(self) -> None:
        """End what is still under way."""
        if self._resolution is not None:
            self._resolution.cancel()
            await asyncio.gather(self._resolution, return_exceptions=True)

    async def _resolve(self) -> Resolution:
        server = (self.watch.second_resolver.address, self.watch.second_resolver.port)
        system, second, *more = await asyncio.gather(
            self.resolve(self.web.host),
            self.network.resolve_second(self.web.host, server, limit=self.watch.timeout_s, clock=self.clock),
            *([self.resolve(self.web.host, family=6)] if self.ipv6 else []),
        )
        self._answers.update(second.answers)
        return Resolution(system, second, more[0] if more else None)
