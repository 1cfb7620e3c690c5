"""A gateway: everything that one provider's lines, or one line alone, can reach, and what is done to it on the way."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from infra.lab.in_force import in_force
from infra.lab.interference import PASS
from infra.lab.servers.listener import Listener, UdpListener
from infra.lab.servers.resolver import DnsOverTcp, Zone
from infra.lab.servers.responders import Http, Mtproto, NameFilter, Paced, Resets, Silent, Tls, response

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from infra.lab.scenario import Scenario, ScenarioProvider
    from infra.lab.servers.certificates import Certificates
    from infra.lab.servers.responders import Responder

BLOCK_PAGE = """<!doctype html>
<html><head><title>Notice</title></head>
<body><h1>This site has been blocked by order of the Signals Office of Ostramere</h1></body></html>
"""
"""Known to the probes by a row of `probe/net/block_pages.csv`."""
_SITE = "<!doctype html><html><head><title>Papergull</title></head><body><p>Papergull for the web.</p></body></html>\n"
_LARGE = "".join(f"{n:015d}\n" for n in range(6144))
"""96 KB: more than a transfer takes."""
_PLAIN = "<!doctype html><html><head><title>Lighthouse</title></head><body><p>The light is on.</p></body></html>\n"


class ListenerRole(NamedTuple):
    """Where a door belongs: the surface, and for the app which of its endpoints."""

    surface: str
    endpoint: str = ""


_OTHER = ListenerRole("other")


class CountrySetup(NamedTuple):
    """What all gateways share: the scenario, the names and the certificates."""

    scenario: Scenario
    zone: Zone
    certificates: Certificates


def zone_of(scenario: Scenario) -> Zone:
    """The names that resolve in a scenario's country."""
    web = scenario.surfaces.web
    names = {
        scenario.control.host: scenario.control.addresses,
        scenario.block_server.host: (scenario.block_server.address,),
    }
    if web:
        names[web.host] = web.addresses
    return Zone(names, web.host if web else "", scenario.block_server.address)


class Gateway:
    """The doors and the resolver of a provider's lines, or of one line that has its own troubles (`line` > 0)."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, country: CountrySetup, provider: ScenarioProvider | None, line: int = 0
    ) -> None:
        self._country = country
        self._provider = provider
        self._line = line
        self._interference = PASS
        self._doors: dict[tuple[str, int], tuple[ListenerRole, Listener]] = {}
        self._build(loop)
        self._resolver = UdpListener(loop, lambda query: country.zone.replies(query, self._interference))

    def turn(self, t: float) -> bool:
        """Do what is in force `t` seconds after zero; whether that is something new."""
        s = self._country.scenario
        interference = in_force(self._provider, self._line, t, slot_s=s.cadence_s, seed=s.seed)
        if interference is self._interference:
            return False
        self._interference = interference
        for spot, door in self._doors.values():
            door.arrive = interference.arrive if interference.touches(*spot) else "accept"
        return True

    def ports(self) -> dict[str, int]:
        """Loopback ports by `address:port`."""
        return {f"{address}:{port}": door.port for (address, port), (_, door) in self._doors.items()}

    @property
    def resolver_port(self) -> int:
        """The loopback port of the provider's resolver, UDP."""
        return self._resolver.port

    def sweep(self) -> None:
        """Close connections that nobody has ended for too long."""
        for _, door in self._doors.values():
            door.sweep()

    def close(self) -> None:
        """Close every socket."""
        self._resolver.close()
        for _, door in self._doors.values():
            door.close()

    def _build(self, loop: asyncio.AbstractEventLoop) -> None:
        s, zone, certificates = self._country
        lighthouse = functools.partial(_page, _PLAIN, s.control.transfer)

        def door(address: str, port: int, spot: ListenerRole, welcome: Callable[[], Responder]) -> None:
            self._doors[address, port] = spot, Listener(loop, welcome)

        for endpoint in s.surfaces.app.endpoints if s.surfaces.app else ():
            for port in endpoint.ports:
                spot = ListenerRole("app", endpoint.id)
                door(endpoint.address, port, spot, functools.partial(self._app, spot))
        for address in s.surfaces.web.addresses if s.surfaces.web else ():
            door(address, 443, ListenerRole("web"), self._web_tls)
            door(address, 80, ListenerRole("web"), self._web_http)
        for address in s.control.addresses:
            door(address, 443, _OTHER, lambda: Tls(certificates.control, Http(lighthouse)))
        door(s.second_resolver.address, s.second_resolver.port, _OTHER, lambda: DnsOverTcp(zone.honest))
        door(s.block_server.address, 80, _OTHER, lambda: Http(_notice))
        door(s.block_server.address, 443, _OTHER, lambda: Tls(certificates.notice, Http(_notice)))

    def _app(self, spot: ListenerRole) -> Responder:
        now = self._interference
        return Silent() if now.touches(*spot) and now.mtproto == "ignore" else Mtproto()

    def _web_tls(self) -> Responder:
        now, certificates = self._interference, self._country.certificates
        how = now.tls if now.touches("web") else "serve"
        if how == "reset":
            return Resets()
        if how == "ignore":
            return Silent()
        web = self._country.scenario.surfaces.web
        page = functools.partial(_page, _SITE, web.transfer if web else "")
        site = Tls(certificates.impostor if how == "impostor" else certificates.site, Http(page))
        if how == "reset-name":
            return NameFilter(web.host if web else "", site)
        return Paced(now.pace, site) if now.touches("web") and now.pace else site

    def _web_http(self) -> Responder:
        now = self._interference
        paged = now.touches("web") and now.http == "page"
        return Http(_notice if paged else _to_https)


def _page(front: str, transfer: str, _host: str, path: str) -> bytes:
    """The front page, or at the path of the watch's transfers something larger."""
    return response("200 OK", _LARGE if transfer and path == transfer else front)


def _notice(_host: str, _path: str) -> bytes:
    return response("451 Unavailable For Legal Reasons", BLOCK_PAGE)


def _to_https(host: str, path: str) -> bytes:
    return response("301 Moved Permanently", "", f"Location: https://{host}{path}")
