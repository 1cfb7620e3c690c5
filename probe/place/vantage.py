"""Where a probe is: everything that can tell, put together before and after each run.

What was configured goes first, then what the operator's endpoint saw, then the prefix table, then what the volunteer
said of the network, then a guess. And the numbers of the networks that a run leaves by are held against each other:
a tunnel that looks like a line shows there.
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
from probe.place.whoami import Whoami
from probe.protocol.addresses import is_bogon
from probe.protocol.measurement import Vantage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from probe.home.config import VantageConfig
    from probe.net.dialer import Dialer
    from probe.place.known_networks import KnownNetworks
    from probe.place.rtnetlink import Route
    from probe.protocol.measurement import Measurement, Path, Resolver, Vantage
    from probe.protocol.prefix_table import OriginTable
    from probe.protocol.watch import Watch

log = structlog.get_logger()


class VantageSource:
    """Tells the vantage of a run; call it before and after.

    `watch` gives the watch as it is now. A lab's dialer leads elsewhere than this machine's tables say: there only
    `base` and the table count.
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
        self._where = by_table(base, table) if table else base
        self._watch = watch
        self._dialer = dialer
        self._known = known
        self._table = table
        self._told = ""
        self.is_new = False
        """Whether nobody has said yet what kind of network this is."""

    async def __call__(self) -> Vantage:
        """The vantage now. `path` is `split` where the numbers disagree, otherwise left to the run."""
        found = await self._where()
        if not self._dialer.is_real:
            return found
        found = self._with_known(found)
        return msgspec.structs.replace(found, path=self._path(found))

    def learn(self, run: Sequence[Measurement]) -> None:
        """A run whose control failed: a router may have changed its line behind us."""
        interrupted = any(s.part == "control" and s.op != "quic" and s.failure for m in run for s in m.steps)
        if interrupted and isinstance(self._base, Whoami):
            self._base.doubt()

    def used_bytes(self) -> int:
        """What asking took since the last call of this, as estimated on the wire."""
        if not isinstance(self._base, Whoami):
            return 0
        used, self._base.used_bytes = self._base.used_bytes, 0
        return used

    def _with_known(self, found: Vantage) -> Vantage:
        """With what the volunteer said of this network, or what it looks like."""
        at = this_network.here(found.asn)
        try:
            known, was_new = self._known.of(at), self.is_new
            self.is_new = found.access == "unknown" and self._known.is_new(at)
            if self.is_new and not was_new:
                log.warning("nobody has said what kind of network this is", say="blockonset probe network")
        except UserError as e:
            self._say(e.message)
            known, self.is_new = this_network.guess(at), False
        return known_networks.apply(found, known)

    def _say(self, error: str) -> None:
        if error != self._told:  # one line for each trouble, not one a run
            log.error("what was said of networks can't be read", error=error)
        self._told = error

    def _path(self, found: Vantage) -> Path:
        """Whether target, control, look-ups and the endpoint that told our number are reached over one network."""
        if found.role == "reference":
            return "unknown"  # it speaks for no provider, and clouds have many numbers
        watch = self._watch()
        look = routes.check_routes((*routes.destinations(watch, self._dialer), *self._peer()))
        if look.path == "split":
            return "split"
        numbers = {found.asn} | numbers_of(look.ways, self._table)
        return "unknown" if one_owner(numbers - {0}, watch) else "split"

    def _peer(self) -> tuple[str, ...]:
        peer = self._base.peer if isinstance(self._base, Whoami) else ""
        return (peer,) if peer and not ipaddress.ip_address(peer.partition("%")[0]).is_loopback else ()


def numbers_of(ways: Iterable[Route | None], table: OriginTable | None) -> set[int]:
    """The numbers of the networks that our own addresses on these ways are in, as far as a table has them."""
    sources = {w.source for w in ways if w and w.source and not is_bogon(w.source)} if table else set()
    return {found.asn for s in sources if table and (found := table.find(s))}


def one_owner(numbers: set[int], watch: Watch) -> bool:
    """Whether network numbers can be one line's: there is one at most, or one provider of the watch has them all."""
    return len(numbers) < 2 or any(numbers <= {n.asn for n in p.networks} for p in watch.providers)


_WHY = {
    "vpn": "a VPN or another tunnel carries them: switch it off to measure, or pause the probe",
    "proxy": "this machine is set up to use a proxy (the variables http_proxy and the like)",
    "split": "they leave over two networks: a VPN or a second connection carries a part of them",
    "changed": "the network changed while a run was under way",
}


def of_config(v: VantageConfig) -> Callable[[], Awaitable[Vantage]]:
    """What tells, before and after each run, which network a configured probe is in. Raises UserError."""
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
    """A vantage that somebody has set: it is asked of nobody."""

    async def answer() -> Vantage:
        return vantage

    return answer


def by_table(where: Callable[[], Awaitable[Vantage]], table: OriginTable) -> Callable[[], Awaitable[Vantage]]:
    """The vantage, with the network's number from a table where nothing else tells it.

    That needs an address of this machine that the internet sees, as IPv6 gives; behind IPv4's translation there is
    none. The address is looked up and forgotten.
    """

    async def answer() -> Vantage:
        vantage = await where()
        for family in (socket.AF_INET6, socket.AF_INET):
            address = own_address(family)
            found = table.find(address) if address and not is_bogon(address) and not vantage.asn else None
            if found:
                return msgspec.structs.replace(vantage, asn=found.asn, asn_how="table", country=found.country)
        return vantage

    return answer


def of_run(
    before: Vantage, after: Vantage, road: routes.RouteCheck, road_after: routes.RouteCheck, resolver: Resolver
) -> Vantage:
    """The vantage of a run from what was seen before and after it. Whoever runs the probe is told of a detour once."""
    path = routes.between(road, road_after)
    changed = before != after or path == "changed"
    if path in ("direct", "unknown") and after.path != "unknown":
        path = after.path  # the numbers of the networks tell more than the interfaces
    _notice.path("changed" if changed else path)
    return msgspec.structs.replace(after, path=path, resolver=resolver, changed=changed)


class PathNotice:
    """Says what keeps runs from counting when that begins, and when it ends: never which interface or address."""

    def __init__(self) -> None:
        self._said: Path = "direct"

    def path(self, path: Path) -> None:
        """Say what changed since the last path, once."""
        if path in {self._said, "unknown"}:
            return
        self._said = path
        if path == "direct":
            log.info("measuring over the line itself again")
        else:
            log.warning("these runs count for no provider", why=_WHY[path])


_notice = PathNotice()
