"""A gateway: all servers that a provider's lines can reach, and the interference with the connections to them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from infra.lab.in_force import in_force
from infra.lab.interference import PASS
from infra.lab.servers.listener import Listener, UdpListener
from infra.lab.servers.pages import block_page, front_page, redirect_to_https
from infra.lab.servers.resolver import DnsOverTcp, Zone
from infra.lab.servers.responders import Http, Mtproto, NameFilter, Paced, Resets, Silent, Tls

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from infra.lab.scenario import Scenario, ScenarioProvider
    from infra.lab.servers.certificates import Certificates
    from infra.lab.servers.responders import Responder

_SITE = "<!doctype html><html><head><title>Papergull</title></head><body><p>Papergull for the web.</p></body></html>\n"
_CONTROL = "<!doctype html><html><head><title>Lighthouse</title></head><body><p>The light is on.</p></body></html>\n"


class ListenerRole(NamedTuple):
    """What a listener stands for: a surface, and for the app one of its endpoints."""

    surface: str
    endpoint: str = ""


_OTHER = ListenerRole("other")


class CountrySetup(NamedTuple):
    """What all gateways share: the scenario, the names and the certificates."""

    scenario: Scenario
    zone: Zone
    certificates: Certificates


def zone_of(scenario: Scenario) -> Zone:
    """The DNS names of a scenario's country."""
    web = scenario.surfaces.web
    names = {
        scenario.control.host: scenario.control.addresses,
        scenario.block_server.host: (scenario.block_server.address,),
    }
    if web:
        names[web.host] = web.addresses
    return Zone(names, web.host if web else "", scenario.block_server.address)


class Gateway:
    """The listeners and the resolver of a provider's lines, or of a single flaky line (`line` > 0)."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, country: CountrySetup, provider: ScenarioProvider | None, line: int = 0
    ) -> None:
        self._country = country
        self._provider = provider
        self._line = line
        self._interference = PASS
        self._listeners: dict[tuple[str, int], tuple[ListenerRole, Listener]] = {}
        self._build(loop)
        self._resolver = UdpListener(loop, lambda query: country.zone.replies(query, self._interference))

    def apply(self, t: float) -> bool:
        """Apply the interference that is in force `t` seconds after zero. Returns whether it changed."""
        s = self._country.scenario
        interference = in_force(self._provider, self._line, t, slot_s=s.cadence_s, seed=s.seed)
        if interference is self._interference:
            return False
        self._interference = interference
        for role, listener in self._listeners.values():
            listener.arrive = interference.arrive if interference.touches(*role) else "accept"
        return True

    def ports(self) -> dict[str, int]:
        """Loopback ports by `address:port`."""
        return {f"{address}:{port}": listener.port for (address, port), (_, listener) in self._listeners.items()}

    @property
    def resolver_port(self) -> int:
        """The loopback port of the provider's resolver, UDP."""
        return self._resolver.port

    def sweep(self) -> None:
        """Close connections that have been open for too long."""
        for _, listener in self._listeners.values():
            listener.sweep()

    def close(self) -> None:
        """Close every socket."""
        self._resolver.close()
        for _, listener in self._listeners.values():
            listener.close()

    def _build(self, loop: asyncio.AbstractEventLoop) -> None:
        s, zone, certificates = self._country
        control_page = functools.partial(front_page, _CONTROL, s.control.transfer)

        def listen(address: str, port: int, role: ListenerRole, make_responder: Callable[[], Responder]) -> None:
            self._listeners[address, port] = role, Listener(loop, make_responder)

        for endpoint in s.surfaces.app.endpoints if s.surfaces.app else ():
            for port in endpoint.ports:
                role = ListenerRole("app", endpoint.id)
                listen(endpoint.address, port, role, functools.partial(self._app, role))
        for address in s.surfaces.web.addresses if s.surfaces.web else ():
            listen(address, 443, ListenerRole("web"), self._web_tls)
            listen(address, 80, ListenerRole("web"), self._web_http)
        for address in s.control.addresses:
            listen(address, 443, _OTHER, lambda: Tls(certificates.control, Http(control_page)))
        listen(s.second_resolver.address, s.second_resolver.port, _OTHER, lambda: DnsOverTcp(zone.true_reply))
        listen(s.block_server.address, 80, _OTHER, lambda: Http(block_page))
        listen(s.block_server.address, 443, _OTHER, lambda: Tls(certificates.notice, Http(block_page)))

    def _app(self, role: ListenerRole) -> Responder:
        now = self._interference
        return Silent() if now.touches(*role) and now.mtproto == "ignore" else Mtproto()

    def _web_tls(self) -> Responder:
        now, certificates = self._interference, self._country.certificates
        tls = now.tls if now.touches("web") else "serve"
        if tls == "reset":
            return Resets()
        if tls == "ignore":
            return Silent()
        web = self._country.scenario.surfaces.web
        page = functools.partial(front_page, _SITE, web.transfer if web else "")
        site = Tls(certificates.impostor if tls == "impostor" else certificates.site, Http(page))
        if tls == "reset-name":
            return NameFilter(web.host if web else "", site)
        return Paced(now.pace, site) if now.touches("web") and now.pace else site

    def _web_http(self) -> Responder:
        now = self._interference
        is_blocked = now.touches("web") and now.http == "page"
        return Http(block_page if is_blocked else redirect_to_https)
