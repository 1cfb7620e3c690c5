"""`blockonset probe setup`: from an invite to a configured probe that its owner has agreed to.

Nothing is written before consent is given, and only the source of the watch that the invite names is contacted.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import tomli_w

from probe.base import private_file, times
from probe.base.errors import UserError
from probe.home import consent, files
from probe.home.config import DELIVER_EVERY_S, load
from probe.measure import data_use
from probe.net import fetch
from probe.owner import ask_network
from probe.owner.service import install
from probe.place import this_network
from probe.protocol import invite, watch_file
from probe.protocol.keys import Key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probe.home.consent import Consent
    from probe.home.texts import Texts
    from probe.measure.data_use import ProjectedUse
    from probe.place.this_network import Access, KnownNetwork, LineKind
    from probe.protocol.invite import Invite
    from probe.protocol.watch import Watch

LARGEST_WATCH = 1 << 20
_WAIT_S = 20.0
MONTHLY_MB, SPOOL_MB = 150, 256
"""The limits of a new probe: data in a month, and disk space. A month in which the site is blocked by name takes up to
120 MB (docs/probe-light.md)."""
_HEADING = "# Written by `blockonset probe setup`. Every key: docs/configuration.md.\n"


class SetupRequest(NamedTuple):
    """What the person gave on the command line. `line` is the invite."""

    line: str
    directory: Path
    watch: Path | None
    accepted: str
    access: Access
    line_kind: LineKind
    subscriber: str
    ca_file: Path | None


class SetUpProbe(NamedTuple):
    """A probe that is set up."""

    id: str
    config: Path
    consent: Consent
    projection: ProjectedUse
    watch: Watch


def prepare(
    request: SetupRequest, texts: Texts, say: Callable[[str], None], answer: Callable[[str], str] | None
) -> SetUpProbe:
    """Read the invite, show the consent text, ask, and write key, watch and configuration. Raises UserError.

    `say` shows a text, `answer` asks a question; it is None where nobody can be asked.
    """
    if (request.directory / files.WITHDRAWN).exists():
        raise UserError(texts.text("setup", "withdrawn"))
    invited = invite.read(request.line)
    raw = watch_from(str(request.watch) if request.watch else invited.watch)
    watch = watch_file.open_signed(raw, invited.operator, "the watch", times.today())
    projected = data_use.of(watch, DELIVER_EVERY_S)
    say(texts.text("setup", "invited", operator=invited.operator))
    minutes = f"{watch.cadence_s / 60:g}"
    say(texts.text("setup", "watching", title=watch.title, minutes=minutes, expires=watch.expires))
    say("")
    given = _consent(request, texts, say, answer, explain(texts, watch, invited.nats, projected))
    say(usage(texts, watch, projected))
    key = Key.load_or_create(request.directory / files.KEY, "user")
    private_file.write(request.directory / files.WATCH, raw)
    file = request.directory / files.CONFIG
    everywhere = _remember_network(request, texts, answer)
    private_file.write(file, configuration(invited, request, everywhere, texts.language).encode())
    load(file, {})  # verifies that the file can be read
    consent.save(request.directory, given)
    say(texts.text("setup", "enrol", id=key.id))
    if not invited.whoami:
        say(texts.text("setup", "no_number", file=file))
    return SetUpProbe(key.id, file, given, projected, watch)


def explain(texts: Texts, watch: Watch, collectors: Sequence[str], projected: ProjectedUse) -> str:
    """The consent text, with the collectors and this watch's numbers in it."""
    return texts.text(
        "consent",
        "text",
        service=watch.service,
        minutes=f"{watch.cadence_s / 60:g}",
        collectors=", ".join(collectors),
        megabytes=f"{projected.month / 1e6:.0f}",
        disk=SPOOL_MB,
    )


def usage(texts: Texts, watch: Watch, projected: ProjectedUse) -> str:
    """The projected use of data, in words."""
    return texts.text(
        "setup",
        "usage",
        megabytes=f"{projected.month / 1e6:.0f}",
        day=f"{projected.day / 1e3:.0f}",
        round=f"{projected.round / 1e3:.0f}",
        minutes=f"{watch.cadence_s / 60:g}",
        sweeps=f"{projected.sweeps_a_day:g}",
        sweep=f"{projected.sweep / 1e3:.0f}",
        deliveries=f"{projected.deliveries_a_day:.0f}",
        cap=MONTHLY_MB,
    )


def watch_from(source: str) -> bytes:
    """The bytes of a signed watch from a file or an http(s) URL, not verified yet. Raises UserError."""
    try:
        if source.startswith(fetch.SCHEMES):
            return fetch.fetch_now(source, timeout_s=_WAIT_S, largest=LARGEST_WATCH).body
        return Path(source).read_bytes()
    except (OSError, fetch.FetchError) as e:
        raise UserError(
            f"watch {source}: can't be fetched: {e}; ask the operator for the file and give it with --watch"
        ) from e


def configuration(invited: Invite, request: SetupRequest, everywhere: KnownNetwork, language: str) -> str:
    """The probe's TOML file. `everywhere` is what holds in every network that the probe will be in."""
    table: dict[str, object] = {
        "data": ".",
        "watch": files.WATCH,
        "nats": invited.nats,
        "operator": invited.operator,
        "api": invited.api,
        "language": language,
        "monthly_mb": MONTHLY_MB,
        "spool_mb": SPOOL_MB,
    }
    if request.ca_file:
        table["nats_ca"] = str(request.ca_file.absolute())
    vantage: dict[str, str] = {}
    if everywhere != this_network.UNKNOWN:
        vantage = {"access": everywhere.access, "line_kind": everywhere.line_kind, "line": everywhere.line}
    if invited.whoami:
        vantage["whoami"] = invited.whoami
    return _HEADING + tomli_w.dumps(table | {"vantage": vantage})


def serve(
    ready: SetUpProbe, texts: Texts, wanted: bool | None, answer: Callable[[str], str] | None
) -> tuple[str, bool]:
    """Install the service if `wanted`, or, where that is None, if the person answers yes.

    Returns the text to show, and whether the service runs.
    """
    manager = install.service_manager()
    if wanted is None and manager is not None and answer is not None:
        wanted = consent.is_yes(answer(texts.text("setup", "service", manager=manager.manager)))
    if not wanted or manager is None:
        return texts.text("setup", "no_service"), False
    try:
        install.install(manager, ready.config)
    except UserError as e:
        return texts.text("setup", "service_failed", manager=manager.manager, error=e.message), False
    return texts.text("setup", "serviced", name=str(manager.file)), True


def _remember_network(request: SetupRequest, texts: Texts, answer: Callable[[str], str] | None) -> KnownNetwork:
    """Ask about this network, unless the command line tells, and remember the answer.

    Returns what goes into the configuration instead, for every network, where this one can't be identified.
    """
    known = ask_network.declared(request.access, request.line_kind, request.subscriber)
    network = this_network.current_network()
    networks = ask_network.known_networks(request.directory)
    if known == this_network.UNKNOWN and networks.find(network) is not None:
        return known  # answered before
    if answer is not None:
        known = ask_network.ask(texts, answer, network, known)
    elif known == this_network.UNKNOWN:
        return known  # nobody can be asked: `status` mentions it, and `blockonset probe network` answers it later
    return this_network.UNKNOWN if networks.remember(network, known) else known


def _consent(
    request: SetupRequest,
    texts: Texts,
    say: Callable[[str], None],
    answer: Callable[[str], str] | None,
    explained: str,
) -> Consent:
    """The consent given before to the same text, or asked for now. Raises UserError when it is refused."""
    before = consent.read(request.directory)
    if before is not None and consent.holds(before) and before.language == texts.language:
        say(texts.text("setup", "again", date=times.day(before.agreed_ms).isoformat()))
        return before
    say(explained)
    say("")
    if texts.texts["about"]["reviewed"] != "yes":
        say(texts.text("consent", "unreviewed"))
    return consent.ask(texts, request.accepted, answer)
