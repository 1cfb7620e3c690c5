"""What each run tests: everything now and then, and in between one way to each datacentre, by turns.

A run that tests everything (a sweep) takes a hundred kilobytes, a light one about ten. So that light runs can be
compared with each other and with sweeps, each has all datacentres and mixes the ways over them: of a transport or
port that is cut, every run sees its share.
"""

from __future__ import annotations

import itertools
import random
import time
from typing import TYPE_CHECKING, NamedTuple

from probe.net import mtproto

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probe.protocol.measurement import Measurement
    from probe.protocol.watch import Endpoint

SUSPICIONS = 3
"""So many sweeps out of turn may follow one another; one more may come with each regular one."""


class RunPlan(NamedTuple):
    """What one run tests. `turn` counts runs; a sweep tests everything whatever the turn."""

    sweep: bool
    turn: int


EVERYTHING = RunPlan(sweep=True, turn=0)


class EndpointTry(NamedTuple):
    """One way to a datacentre."""

    address: str
    port: int
    transport: str


def ways(endpoint: Endpoint, address: str) -> tuple[EndpointTry, ...]:
    """All ways to one address of a datacentre, transports alternating."""
    return tuple(EndpointTry(address, *rest) for rest in itertools.product(endpoint.ports, mtproto.TRANSPORTS))


def chosen(
    plan: RunPlan, endpoints: tuple[Endpoint, ...], has_route: Callable[[str], bool]
) -> list[tuple[Endpoint, EndpointTry]]:
    """The ways to test in a run, datacentre by datacentre.

    IPv4 is tested at each datacentre, or IPv6 where the line has no IPv4. A line that has both tests IPv6 too: in a
    light run at one datacentre, whose turn it is, and at the others when that failed (`others6`).
    """
    found = []
    for n, endpoint in enumerate(endpoints):
        first, *second = [a for a in endpoint.addresses() if has_route(a)] or endpoint.addresses()[:1]
        if plan.sweep:
            found += [(endpoint, way) for address in (first, *second) for way in ways(endpoint, address)]
            continue
        found.append((endpoint, _by_turn(ways(endpoint, first), plan.turn + n)))
        cycle, place = divmod(plan.turn, len(endpoints))
        if second and place == n:
            found.append((endpoint, _by_turn(ways(endpoint, second[0]), cycle)))
    return found


def others6(
    plan: RunPlan, endpoints: tuple[Endpoint, ...], has_route: Callable[[str], bool]
) -> list[tuple[Endpoint, EndpointTry]]:
    """The ways over IPv6 that a light run left out: one failure says nothing of the family, five do."""
    place = plan.turn % len(endpoints)
    return [
        (endpoint, _by_turn(ways(endpoint, endpoint.address6), plan.turn + n))
        for n, endpoint in enumerate(endpoints)
        if n != place and endpoint.address6 and has_route(endpoint.address) and has_route(endpoint.address6)
    ]


def _by_turn(among: tuple[EndpointTry, ...], turn: int) -> EndpointTry:
    return among[turn % len(among)]


class RunPlanner:
    """Plans a probe's runs one after the other, from what it remembers of those before. Kept in memory only.

    The first run is a sweep (unless the probe has `swept` before), then one every `sweep_s`, and one after a run whose
    outcome differs from that of the run before: `SUSPICIONS` of these at most, and one more with each regular one,
    whatever a bad line does.
    """

    def __init__(
        self,
        sweep_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        turn: int | None = None,
        swept: bool = False,
    ) -> None:
        self._sweep_s = sweep_s
        self._clock = clock
        self._turn = random.randrange(1 << 16) if turn is None else turn  # noqa: S311 - only to spread a fleet
        self._next_sweep = clock() + sweep_s if swept else None
        self._suspicions = SUSPICIONS
        self._suspicious = False
        self._before: frozenset[tuple[str, str]] | None = None

    def plan(self) -> RunPlan:
        """What the run that begins now tests."""
        self._turn += 1
        now = self._clock()
        if self._next_sweep is None or now >= self._next_sweep:
            self._next_sweep = now + self._sweep_s
            self._suspicions = min(self._suspicions + 1, SUSPICIONS)
            self._suspicious = False
            return RunPlan(sweep=True, turn=self._turn)
        sweep, self._suspicious = self._suspicious and self._suspicions > 0, False
        self._suspicions -= sweep
        return RunPlan(sweep=sweep, turn=self._turn)

    def learn(self, run: Sequence[Measurement]) -> None:
        """Compare a run's outcome with that of the run before."""
        if not run or any(s.part == "control" and s.op != "quic" and s.failure for s in run[0].steps):
            return  # offline: nothing was seen
        now = outcome(run)
        if self._before is not None and now != self._before and not any(m.sweep for m in run):
            self._suspicious = True
        self._before = now


def outcome(run: Sequence[Measurement]) -> frozenset[tuple[str, str]]:
    """What failed in a run and in which network, as (target, kind): what two runs over different ways can share.

    Over IPv6, port 80 and in what only sweeps test, failures are facts, but no reason to look closer.
    """
    where = {(str(m.vantage.asn), m.vantage.access) for m in run}
    return frozenset(where) | frozenset(
        (step.target, step.failure or step.certificate_failure or "")
        for m in run
        for step in m.steps
        if (step.failure or step.certificate_failure)
        and step.part == "target"
        and step.op in ("resolve", "connect", "hold", "handshake", "exchange")
        and step.via not in ("system6", "second6")
        and m.check not in ("http", "transfer", "sockets")
        and not step.address.startswith("[")
    )
