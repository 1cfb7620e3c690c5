"""What each run tests: a sweep tests everything, and the light runs between sweeps try each datacentre once.

A sweep takes about a hundred kilobytes, a light run about ten. A try is one address, port and transport of a
datacentre. Light runs rotate through the tries so that each run mixes ports and transports over all datacentres: when
one port or transport is cut, a similar share of every run fails, and runs can be compared with each other.
"""

from __future__ import annotations

import itertools
import random
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from probe.net import mtproto

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from probe.protocol.measurement import Measurement
    from probe.protocol.watch import Endpoint

EXTRA_SWEEPS = 3
"""At most this many sweeps may be made out of turn; each regular sweep allows one more."""
_OUTCOME_OPS = ("resolve", "connect", "hold", "handshake", "exchange")
"""Operations whose failures make up a run's outcome."""


class RunPlan(NamedTuple):
    """What one run tests. `turn` counts runs and selects a light run's tries; a sweep ignores it."""

    sweep: bool
    turn: int


EVERYTHING = RunPlan(sweep=True, turn=0)


class EndpointTry(NamedTuple):
    """One way to try a datacentre."""

    address: str
    port: int
    transport: str


def all_tries(endpoint: Endpoint, address: str) -> tuple[EndpointTry, ...]:
    """All tries of one address of a datacentre, transports alternating."""
    return tuple(EndpointTry(address, *rest) for rest in itertools.product(endpoint.ports, mtproto.TRANSPORTS))


def endpoint_tries(
    plan: RunPlan, endpoints: tuple[Endpoint, ...], has_route: Callable[[str], bool]
) -> list[tuple[Endpoint, EndpointTry]]:
    """The tries of a run, datacentre by datacentre.

    IPv4 is tested at each datacentre, or IPv6 where the line has no IPv4. A line with both tests IPv6 too: in a light
    run at one datacentre, a different one each time, and at the others if that fails (`remaining_ipv6_tries`).
    """
    tries = []
    for n, endpoint in enumerate(endpoints):
        first, *second = [a for a in endpoint.addresses() if has_route(a)] or endpoint.addresses()[:1]
        if plan.sweep:
            tries += [(endpoint, try_) for address in (first, *second) for try_ in all_tries(endpoint, address)]
            continue
        tries.append((endpoint, _by_turn(all_tries(endpoint, first), plan.turn + n)))
        cycle, ipv6_index = divmod(plan.turn, len(endpoints))
        if second and ipv6_index == n:
            tries.append((endpoint, _by_turn(all_tries(endpoint, second[0]), cycle)))
    return tries


def remaining_ipv6_tries(
    plan: RunPlan, endpoints: tuple[Endpoint, ...], has_route: Callable[[str], bool]
) -> list[tuple[Endpoint, EndpointTry]]:
    """The IPv6 tries that a light run left out. One failed datacentre is no evidence about IPv6 as a whole; all are."""
    ipv6_index = plan.turn % len(endpoints)
    return [
        (endpoint, _by_turn(all_tries(endpoint, endpoint.address6), plan.turn + n))
        for n, endpoint in enumerate(endpoints)
        if n != ipv6_index and endpoint.address6 and has_route(endpoint.address) and has_route(endpoint.address6)
    ]


def _by_turn(tries: tuple[EndpointTry, ...], turn: int) -> EndpointTry:
    return tries[turn % len(tries)]


class PlannerMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan of the next run depends on."""

    turn: int
    next_sweep_s: float | None
    """When the next regular sweep is due, by the planner's clock; None for at once."""
    extra_sweeps: int
    """How many sweeps may still be made out of turn."""
    outcome_changed: bool
    last_outcome: frozenset[tuple[str, str]] | None


class RunPlanner:
    """Plans a probe's runs one after the other, from earlier runs. Its state is kept in memory only (`memory`).

    The first run is a sweep (unless the probe has `swept` before), then one run every `sweep_s`. A run whose outcome
    differs from that of the run before is followed by a sweep too, but by at most `EXTRA_SWEEPS` of these, plus one
    for each regular sweep, so that a bad line does not use up the volunteer's data.
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
        self._extra_sweeps = EXTRA_SWEEPS
        self._outcome_changed = False
        self._last_outcome: frozenset[tuple[str, str]] | None = None

    @property
    def memory(self) -> PlannerMemory:
        """What to hand to the probe's next process."""
        return PlannerMemory(
            turn=self._turn,
            next_sweep_s=self._next_sweep,
            extra_sweeps=self._extra_sweeps,
            outcome_changed=self._outcome_changed,
            last_outcome=self._last_outcome,
        )

    def restore(self, memory: PlannerMemory) -> None:
        """Go on from what an earlier process of this probe planned."""
        self._turn, self._next_sweep, self._extra_sweeps = memory.turn, memory.next_sweep_s, memory.extra_sweeps
        self._outcome_changed, self._last_outcome = memory.outcome_changed, memory.last_outcome

    def plan(self) -> RunPlan:
        """What the run that begins now tests."""
        self._turn += 1
        now = self._clock()
        if self._next_sweep is None or now >= self._next_sweep:
            self._next_sweep = now + self._sweep_s
            self._extra_sweeps = min(self._extra_sweeps + 1, EXTRA_SWEEPS)
            self._outcome_changed = False
            return RunPlan(sweep=True, turn=self._turn)
        sweep, self._outcome_changed = self._outcome_changed and self._extra_sweeps > 0, False
        self._extra_sweeps -= sweep
        return RunPlan(sweep=sweep, turn=self._turn)

    def learn(self, run: Sequence[Measurement], ignored_checks: Collection[str] = ()) -> None:
        """Compare a run's outcome with that of the run before; see `outcome`."""
        if not run or any(s.part == "control" and s.op != "quic" and s.failure for s in run[0].steps):
            return  # offline: the run shows nothing about the service
        now = outcome(run, ignored_checks)
        if self._last_outcome is not None and now != self._last_outcome and not any(m.sweep for m in run):
            self._outcome_changed = True
        self._last_outcome = now


def outcome(run: Sequence[Measurement], ignored_checks: Collection[str] = ()) -> frozenset[tuple[str, str]]:
    """What failed in a run and in which network, as (target, failure): comparable whatever the runs' plans.

    Failures over IPv6 and those of `ignored_checks` (see TRIGGERS_SWEEP in `probe.measure.checks`) don't count.
    """
    network = {(str(m.vantage.asn), m.vantage.access) for m in run}
    return frozenset(network) | frozenset(
        (step.target, step.failure or step.certificate_failure or "")
        for m in run
        for step in m.steps
        if (step.failure or step.certificate_failure)
        and step.part == "target"
        and step.op in _OUTCOME_OPS
        and step.via not in ("system6", "second6")
        and m.check not in ignored_checks
        and not step.address.startswith("[")
    )
