"""What a check is given: the watch, the run's resolution, and connections to what the watch allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from probe.addresses import endpoint, is_bogon

if TYPE_CHECKING:
    from probe.clock import Clock
    from probe.measurement import Part, Step
    from probe.network import Connection, Network
    from probe.watch import Watch, Web

_WEB_PORTS = (80, 443)


class NotAllowedError(Exception):
    """A check asked for an address that neither the watch lists nor a resolver gave: a bug in the check."""


class Resolution(NamedTuple):
    """How the web host resolved in this run, by the system's resolver and by the second path."""

    system: Step
    second: Step


class Context:
    """One run's means, shared by its checks. Times are seconds."""

    def __init__(self, watch: Watch, network: Network, clock: Clock) -> None:
        self.watch = watch
        self.network = network
        self.clock = clock
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

    async def resolve(self, host: str, part: Part = "target") -> Step:
        """Resolve a name by the system's resolver. Its usable answers may be contacted from then on."""
        step = await self.network.resolve(host, limit=self.watch.timeout_s, clock=self.clock, part=part)
        self._answers.update(step.answers)
        return step

    async def web_addresses(self) -> tuple[str, ...]:
        """Where to test the web host: what the system's resolver says and, when that differs, what is true elsewhere.

        One or two addresses, or none. The second is the second path's, or the watch's when that path is closed.
        """
        system, second = await self.resolution()
        told = [a for a in system.answers if not is_bogon(a)]
        known = [a for a in (*second.answers, *self.web.addresses) if not is_bogon(a)]
        return (*told[:1], *(a for a in known[:1] if a not in system.answers))

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
        system, second = await asyncio.gather(
            self.resolve(self.web.host),
            self.network.resolve_second(self.web.host, server, limit=self.watch.timeout_s, clock=self.clock),
        )
        self._answers.update(second.answers)
        return Resolution(system, second)
