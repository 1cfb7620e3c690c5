"""What kind of network is this? Asked once in each network, and answered by the person whose line it is."""

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
    from probe.place.this_network import NetworkState

W = TypeVar("W", bound=str)

ACCESS: tuple[Access, ...] = get_args(Access)
LINES: tuple[LineKind, ...] = get_args(LineKind)


def learnt_asn(directory: Path) -> int:
    """The AS number of the present network, if the running probe has learnt it there; otherwise 0."""
    state = notebook.read(directory)
    return state.asn if state.pid and state.network_is_new else 0


def known_networks(directory: Path) -> KnownNetworks:
    """The networks known to the probe in a directory. Raises UserError where it has no key."""
    return KnownNetworks(directory / files.NETWORKS, Key.load(directory / files.KEY, "user"))


def ask(
    texts: Texts, answer: Callable[[str], str], network: NetworkState, known: KnownNetwork = this_network.UNKNOWN
) -> KnownNetwork:
    """Ask a person for what is not `known` yet; `answer` gives the answer to a question.

    An empty answer accepts the guess, any other word than the offered ones is `unknown`.
    """
    guessed, access, kind = this_network.guess(network), known.access, known.line_kind
    if access == "unknown":
        access = _one_of(ACCESS, answer(texts.text("network", "access", guess=guessed.access)), guessed.access)
    if kind == "unknown":
        kind = _one_of(LINES, answer(texts.text("network", "line", guess=guessed.line_kind)), guessed.line_kind)
    return declared(access, kind, known.line)


def offer(config: Config, texts: Texts, answer: Callable[[str], str] | None) -> bool:
    """Before a run at a terminal, ask about a network that is new. Whether it was asked about.

    `answer` is None where nobody can be asked. Raises UserError for a file of networks that can't be used.
    """
    directory = Path(config.data)
    if answer is None or config.vantage.access != "unknown" or not (directory / files.KEY).exists():
        return False
    network, asn = this_network.current_network(), learnt_asn(directory)
    if not known_networks(directory).is_new(network, asn):
        return False
    known = ask(texts, lambda question: answer(f"{texts.text('network', 'asks')} {question}"), network)
    remember(directory, network, known, asn)
    return True


def declared(access: Access, kind: LineKind, line: str = "") -> KnownNetwork:
    """What a person answered. `unknown` is an answer too: it is not asked again."""
    return KnownNetwork(
        access=access,
        access_how="declared" if access != "unknown" else "unknown",
        line_kind=kind,
        line_kind_how="declared" if kind != "unknown" else "unknown",
        line=line,
        line_how="declared" if line else "unknown",
    )


def remember(directory: Path, network: NetworkState, known: KnownNetwork, asn: int = 0) -> None:
    """Keep the answer about a network. Raises UserError where it can't be distinguished from others."""
    if not known_networks(directory).remember(network, known, asn):
        raise UserError(
            "this network can't be distinguished from others: its router is not known (offline, a VPN, or not Linux). "
            "Set access and line_kind under [vantage] in probe.toml if this machine stays in one network"
        )


def _one_of(words: tuple[W, ...], answer: str, default: W) -> W:
    """The answer as one of the words; `default` for an empty one, the last word (`unknown`) for any other."""
    answer = answer.strip().lower()
    return next((w for w in words if w == answer), words[-1]) if answer else default
