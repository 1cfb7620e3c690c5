"""Where a probe measures from. All sources are combined here, before and after each run.

In order of precedence: the configuration, the operator's whoami endpoint, the prefix table, what the volunteer answered
about the network, a guess. The AS numbers of the networks through which a run leaves are compared too: that reveals a
tunnel that looks like an ordinary line.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import msgspec
import structlog

from probe.base.errors import UserError
from probe.place import known_networks, routes, this_network
from probe.place.own_names import own_address
from probe.place.whoami import Whoami, WhoamiMemory
from probe.protocol.addresses import is_bogon
from probe.protocol.measurement import Vantage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from probe.home.config import VantageConfig
    from probe.net.dialer import Dialer
    from probe.place.known_networks import KnownNetworks
    from probe.place.rtnetlink import Route
    from probe.protocol.measurement import Measurement, PathKind, ResolverKind, Vantage
    from probe.protocol.prefix_table import OriginTable
    from probe.protocol.watch import Watch

log = structlog.get_logger()


class VantageMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe's next process needs to know about the network. It stays in memory: never logged or stored."""

    is_new: bool = False
    logged_error: str = ""
    whoami: WhoamiMemory | None = None


class VantageSource:
    """Gives the vantage of a run; call it before and after.

    `base` gives what is configured or asked, `watch` the watch in force. A lab's dialer does not connect to the
    addresses that it is given, so this machine's tables say nothing about it: then only `base` and `table` count.
    """

    def __init__(
        self,
        base: Callable[[], Awaitable[Vantage]],
        watch: Callable[[], Watch],
        dialer: Dialer,
        known: KnownNetworks,
        table: OriginTable | None,
    ) -> None:
        self._base = base
        self._base_or_table = by_table(base, table) if table else base
        self._watch = watch
        self._dialer = dialer
        self._known = known
        self._table = table
        self._logged_error = ""
        self.is_new = False
        """Whether the volunteer has not answered yet what kind of network this is."""

    async def __call__(self) -> Vantage:
        """The vantage now. `path` is `split` where the AS numbers disagree; otherwise the run determines it."""
        vantage = await self._base_or_table()
        if not self._dialer.is_real:
            return vantage
        vantage = self._with_known(vantage)
        return msgspec.structs.replace(vantage, path=self._path(vantage))

    @property
    def memory(self) -> VantageMemory:
        """What to hand to the probe's next process."""
        whoami = self._base.memory if isinstance(self._base, Whoami) else None
        return VantageMemory(is_new=self.is_new, logged_error=self._logged_error, whoami=whoami)

    def restore(self, memory: VantageMemory) -> None:
        """Go on from what an earlier process of this probe knew."""
        self.is_new, self._logged_error = memory.is_new, memory.logged_error
        if memory.whoami and isinstance(self._base, Whoami):
            self._base.restore(memory.whoami)

    def learn(self, run: Sequence[Measurement]) -> None:
        """After a run whose control failed, ask whoami again: the router may have switched to another line."""
        interrupted = any(s.part == "control" and s.op != "quic" and s.failure for m in run for s in m.steps)
        if interrupted and isinstance(self._base, Whoami):
            self._base.doubt()

    def used_bytes(self) -> int:
        """Bytes on the wire that asking took since the last call, as estimated."""
        if not isinstance(self._base, Whoami):
            return 0
        used, self._base.used_bytes = self._base.used_bytes, 0
        return used

    def _with_known(self, vantage: Vantage) -> Vantage:
        """The vantage, with the volunteer's answer about this network or else a guess."""
        network = this_network.current_network()
        try:
            known, was_new = self._known.of(network, vantage.asn), self.is_new
            self.is_new = vantage.access == "unknown" and self._known.is_new(network, vantage.asn)
            if self.is_new and not was_new:
                log.warning("it is not known what kind of network this is", run="blockonset probe network")
        except UserError as e:
            self._log_once(e.message)
            known, self.is_new = this_network.guess(network), False
        return known_networks.apply(vantage, known)

    def _log_once(self, error: str) -> None:
        """Log an error of the file of networks, unless it is the same as in the last run."""
        if error != self._logged_error:
            log.error("the file of known networks can't be used", error=error)
        self._logged_error = error

    def _path(self, vantage: Vantage) -> PathKind:
        """`split` unless target, control, resolvers and whoami endpoint are reached over one network."""
        if vantage.role == "reference":
            return "unknown"  # a reference counts for no provider, and a cloud has many AS numbers
        watch = self._watch()
        check = routes.check_routes((*routes.destinations(watch, self._dialer), *self._endpoint()))
        if check.path == "split":
            return "split"
        numbers = {vantage.asn} | asns_of(check.routes, self._table)
        return "unknown" if is_one_owner(numbers - {0}, watch) else "split"

    def _endpoint(self) -> tuple[str, ...]:
        """The whoami endpoint's address, if one was reached outside this machine."""
        peer = self._base.peer if isinstance(self._base, Whoami) else ""
        return (peer,) if peer and not ipaddress.ip_address(peer.partition("%")[0]).is_loopback else ()


def asns_of(checked: Iterable[Route | None], table: OriginTable | None) -> set[int]:
    """The AS numbers of this machine's own public addresses on these routes, as far as a table has them."""
    sources = {r.source for r in checked if r and r.source and not is_bogon(r.source)} if table else set()
    return {origin.asn for s in sources if table and (origin := table.find(s))}


def is_one_owner(numbers: set[int], watch: Watch) -> bool:
    """Whether AS numbers can belong to one line: there is at most one, or one provider of the watch has them all."""
    return len(numbers) < 2 or any(numbers <= {n.asn for n in p.networks} for p in watch.providers)


def of_config(v: VantageConfig) -> Callable[[], Awaitable[Vantage]]:
    """The source of a configured probe's vantage: its whoami endpoint, or the configuration alone. Raises UserError."""
    declared = Vantage(
        role=v.role,
        asn=v.asn,
        asn_how="configured" if v.asn else "unknown",
        country=v.country,
        access=v.access,
        access_how="configured" if v.access != "unknown" else "unknown",
        line=v.line,
        line_how="configured" if v.line else "unknown",
        line_kind=v.line_kind,
        line_kind_how="configured" if v.line_kind != "unknown" else "unknown",
    )
    return Whoami(v.whoami, declared) if v.whoami else configured(declared)


def configured(vantage: Vantage) -> Callable[[], Awaitable[Vantage]]:
    """A source that always gives this vantage and asks nobody."""

    async def answer() -> Vantage:
        return vantage

    return answer


def by_table(base: Callable[[], Awaitable[Vantage]], table: OriginTable) -> Callable[[], Awaitable[Vantage]]:
    """A source that adds the AS number from a prefix table where `base` has none.

    That needs a public address of this machine, which there is with IPv6 but not behind IPv4 NAT. The address is
    looked up and not kept.
    """

    async def answer() -> Vantage:
        vantage = await base()
        for family in (socket.AF_INET6, socket.AF_INET):
            address = own_address(family)
            origin = table.find(address) if address and not is_bogon(address) and not vantage.asn else None
            if origin:
                return msgspec.structs.replace(vantage, asn=origin.asn, asn_how="table", country=origin.country)
        return vantage

    return answer


def of_run(
    before: Vantage,
    after: Vantage,
    routes_before: routes.RouteCheck,
    routes_after: routes.RouteCheck,
    resolver: ResolverKind,
) -> Vantage:
    """The vantage of a run, from the vantages and routes before and after it."""
    path = routes.between(routes_before, routes_after)
    changed = before != after or path == "changed"
    if path in ("direct", "unknown") and after.path != "unknown":
        path = after.path  # AS numbers tell more than interfaces
    return msgspec.structs.replace(after, path=path, resolver=resolver, changed=changed)
