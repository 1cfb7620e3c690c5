"""What kind of network is this? Asked once in each, and answered by the person whose line it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args

from probe.base.errors import UserError
from probe.home import files, notebook
from probe.place import this_network
from probe.place.known_networks import KnownNetworks
from probe.place.this_network import Access, KnownNetwork, LineKind
from probe.protocol.keys import Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.home.config import Config
    from probe.home.texts import Texts
    from probe.place.this_network import Here

W = TypeVar("W", bound=str)

ACCESS: tuple[Access, ...] = get_args(Access)
LINES: tuple[LineKind, ...] = get_args(LineKind)


def here(directory: Path) -> Here:
    """The network of now, with its number if the running probe has learnt it in this network."""
    noted = notebook.read(directory)
    at = this_network.here()
    return at._replace(asn=noted.asn) if noted.pid and noted.network_is_new else at


def of(directory: Path) -> KnownNetworks:
    """The networks known to the probe in a directory. Raises UserError where it has no key."""
    return KnownNetworks(directory / files.NETWORKS, Key.load(directory / files.KEY, "user"))


def ask(
    texts: Texts, answer: Callable[[str], str], at: Here, said: KnownNetwork = this_network.UNKNOWN
) -> KnownNetwork:
    """Ask a person what was not said yet. An empty answer is what the network looks like, other words `unknown`."""
    seems, access, kind = this_network.guess(at), said.access, said.line_kind
    if access == "unknown":
        access = _one_of(ACCESS, answer(texts.text("network", "access", guess=seems.access)), seems.access)
    if kind == "unknown":
        kind = _one_of(LINES, answer(texts.text("network", "line", guess=seems.line_kind)), seems.line_kind)
    return declared(access, kind, said.line)


def offer(config: Config, texts: Texts, answer: Callable[[str], str] | None) -> bool:
    """Before a run at a terminal: ask about a network that nobody has said anything of. Whether it was asked about.

    Raises UserError for a file of networks that can't be used.
    """
    directory = Path(config.data)
    if answer is None or config.vantage.access != "unknown" or not (directory / files.KEY).exists():
        return False
    at = here(directory)
    if not of(directory).is_new(at):
        return False
    remember(directory, at, ask(texts, lambda q: answer(f"{texts.text('network', 'asks')} {q}"), at))
    return True


def declared(access: Access, kind: LineKind, line: str = "") -> KnownNetwork:
    """What somebody said. That nothing is known was said, too: it isn't asked again."""
    return KnownNetwork(
        access=access,
        access_how="declared" if access != "unknown" else "unknown",
        line_kind=kind,
        line_kind_how="declared" if kind != "unknown" else "unknown",
        line=line,
        line_how="declared" if line else "unknown",
    )


def remember(directory: Path, at: Here, known: KnownNetwork) -> None:
    """Keep what was said of this network. Raises UserError where nothing tells it from others."""
    if not of(directory).remember(at, known):
        raise UserError(
            "nothing tells this network from others: no router is seen from here (offline, a VPN, or not Linux). "
            "Set access and line_kind under [vantage] in probe.toml if this machine stays in one network"
        )


def _one_of(words: tuple[W, ...], said: str, otherwise: W) -> W:
    said = said.strip().lower()
    return next((w for w in words if w == said), words[-1]) if said else otherwise
