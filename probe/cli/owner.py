"""What the owner of a line can say to the probe on it. Every command has `--json` where it answers something, and
exit code 0 only on success. The work is in the modules that each one loads.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import App, Parameter

from probe.base import logs, times
from probe.base.errors import UserError
from probe.home import config as configs
from probe.home import files
from probe.home import texts as messages
from probe.place.this_network import Access, LineKind

if TYPE_CHECKING:
    from probe.home.config import Config

ConfigFile = Annotated[Path | None, Parameter(help="The probe's TOML file. Default: what `setup` wrote.")]
Data = Annotated[Path | None, Parameter(help="The probe's directory. Default: where `setup` puts it.")]
Json = Annotated[bool, Parameter(help="Print JSON.")]
Lang = Annotated[str, Parameter(help="Language of the texts: en or vi. Default: the environment's.")]
AccessWord = Annotated[Access, Parameter(help="What this network is: fixed (fibre, cable, DSL) or mobile.")]
LineWord = Annotated[LineKind, Parameter(help="Whose network it is.")]
LineName = Annotated[str, Parameter(help="A word for this line, which is sent: probes on one line must have the same.")]
Yes = Annotated[bool, Parameter(help="Don't ask.")]
EXIT_WRONG = 1


def add_to(app: App) -> None:
    """Add the commands to the part `probe`."""
    for function in (setup, status, network, pause, resume, panic, withdraw, uninstall, doctor, show):
        app.command(function)


def setup(
    invite: Annotated[str, Parameter(help="The line that the operator gave you: blockonset1:…")],
    /,
    *,
    data: Data = None,
    watch: Annotated[
        Path | None, Parameter(help="The signed watch, where the invite's place can't be reached.")
    ] = None,
    access: AccessWord = "unknown",
    line_kind: LineWord = "unknown",
    line: LineName = "",
    ca_file: Annotated[Path | None, Parameter(help="Certificate authorities that vouch for the collectors.")] = None,
    accept_risk: Annotated[str, Parameter(help="The version of the consent text that you have read.")] = "",
    service: Annotated[bool | None, Parameter(help="Install the user service, or don't, without asking.")] = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Set a probe up on this line: what it does, your consent, its key, and a service if you like."""
    from probe.home import consent  # noqa: PLC0415 - here and below: each command loads what it needs
    from probe.owner import setup as setups  # noqa: PLC0415

    texts = messages.load(lang)
    say = _say_nothing if json else _say
    answer = None if json else consent.at_terminal()
    directory = (data or files.directory()).absolute()
    wanted = setups.SetupRequest(invite, directory, watch, accept_risk, access, line_kind, line, ca_file)
    ready = setups.prepare(wanted, texts, say, answer)
    said, runs = setups.serve(ready, texts, service, answer)
    say(said)
    say(texts.text("setup", "done"))
    if json:
        _json({"probe": ready.id, "config": str(ready.config), "consent": ready.consent.version, "service": runs,
               "projected_month_bytes": ready.projection.month})  # fmt: skip
    if service and not runs:
        raise UserError(said)


def status(*, config: ConfigFile = None, lang: Lang = "", api: bool = True, json: Json = False) -> None:
    """What the probe did today, what waits, and how many lines are behind the answers it counts for.

    Parameters
    ----------
    api
        Ask the operator's public API; with --no-api nothing is contacted.
    """
    from probe.custody import watch_renewal  # noqa: PLC0415
    from probe.owner import status as statuses  # noqa: PLC0415

    settings = _settings(config)
    try:
        watch = watch_renewal.present(settings)
    except UserError:
        watch = None
    found = statuses.status(settings, watch, ask_api=api)
    if json:
        _json(found)
    else:
        _say("\n".join(statuses.words(found, messages.load(lang or settings.language))))


def network(
    *,
    data: Data = None,
    access: AccessWord = "unknown",
    line_kind: LineWord = "unknown",
    line: LineName = "",
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Say what kind of network this machine is in now. The probe remembers it, under a name that only it can tell.

    At a terminal it asks for what is not given. A run in a network that nothing is known of may count for no provider.
    """
    from probe.home import consent  # noqa: PLC0415
    from probe.owner import ask_network  # noqa: PLC0415

    directory, texts = _directory(data), messages.load(lang)
    at, answer = ask_network.here(directory), None if json else consent.at_terminal()
    known = ask_network.declared(access, line_kind, line)
    if answer is not None:
        known = ask_network.ask(texts, answer, at, known)
    elif access == line_kind == "unknown" and not line:
        raise UserError(texts.text("network", "no_terminal"))
    ask_network.remember(directory, at, known)
    if json:
        _json(known)
    else:
        _say(texts.text("network", "kept", access=known.access, line=known.line_kind))


def pause(
    duration: Annotated[str, Parameter(help="30m, 8h, 2d; without one until `resume`.")] = "",
    /,
    *,
    data: Data = None,
    lang: Lang = "",
) -> None:
    """Measure and send nothing for a while (30m, 8h, 2d), or until `resume`."""
    from probe.owner import pause as owner  # noqa: PLC0415

    until, texts = owner.pause(_directory(data), duration), messages.load(lang)
    _say(texts.text("pause", "open") if until is None else texts.text("pause", "until", until=times.readable(until)))


def resume(*, data: Data = None, lang: Lang = "") -> None:
    """End a pause."""
    from probe.owner import pause as owner  # noqa: PLC0415

    texts = messages.load(lang)
    _say(texts.text("pause", "resumed" if owner.resume(_directory(data)) else "not_paused"))


def panic(*, data: Data = None, lang: Lang = "", json: Json = False) -> None:
    """Stop the probe at once and wipe its key, its spool and all it wrote. Asks nothing."""
    from probe import panic as panics  # noqa: PLC0415
    from probe.owner.service import install  # noqa: PLC0415

    directory, texts = _directory(data), messages.load(lang)
    services = install.remove(install.here())
    did = panics.panic(directory)
    if json:
        _json({**did._asdict(), "service": services})
    else:
        for what in services:
            _say(texts.text("panic", "service", what=what))
        _say(texts.text("panic", "not_running" if not did.pid else "stopped" if did.stopped else "not_stopped",
                        pid=did.pid, error=""))  # fmt: skip
        _say(texts.text("panic", "wiped" if did.files else "nothing", files=", ".join(did.files), directory=directory))
        for failed in did.failed:
            _say(texts.text("panic", "failed", file=failed.partition(": ")[0], error=failed.partition(": ")[2]))
        _say(texts.text("panic", "cannot"))
    if did.failed or not did.stopped:
        sys.exit(EXIT_WRONG)


def withdraw(
    *,
    data: Data = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Stop for good, and ask the operator to publish no row of this probe from now on. Signed by its key.

    It connects to the collector once more, to hand the request over. Without any more contact: `panic`.
    """
    from probe.custody import withdrawal_delivery  # noqa: PLC0415
    from probe.protocol import withdrawal  # noqa: PLC0415

    directory, texts = _directory(data), messages.load(lang)
    _without_logs()
    line = withdrawal_delivery.sign(directory)
    try:
        settings = _settings(None) if data is None else configs.load(directory / files.CONFIG)
        error = withdrawal_delivery.hand_over(settings, directory)
        confirmed_ms = withdrawal_delivery.confirmed_ms(directory, settings.operator)
    except UserError as e:
        error, confirmed_ms = e.message, 0
    file = directory / files.WITHDRAWN
    if json:
        _json({"withdrawal": line, "file": str(file), "confirmed_ms": confirmed_ms or None,
               "error": "" if confirmed_ms else error})  # fmt: skip
        return
    asked = times.readable(withdrawal.read(line).asked_ms)
    _say(texts.text("withdraw", "done", file=file))
    _say(line)
    if confirmed_ms:
        _say(texts.text("withdraw", "confirmed", when=times.readable(confirmed_ms), date=asked))
    else:
        _say(texts.text("withdraw", "waits", error=error, date=asked))
    _say(texts.text("withdraw", "cannot"))


def uninstall(*, data: Data = None, yes: Yes = False, lang: Lang = "", json: Json = False) -> None:
    """Remove the service, key, spool and logs, and say what remains."""
    from probe.home import consent  # noqa: PLC0415
    from probe.owner.uninstall import undelivered  # noqa: PLC0415
    from probe.owner.uninstall import uninstall as remove  # noqa: PLC0415

    directory, texts = _directory(data), messages.load(lang)
    if not yes:
        answer = consent.at_terminal()
        if answer is None:
            raise UserError("uninstall removes the key and the spool: say --yes where nobody can be asked")
        asked = texts.text("uninstall", "ask", spooled=undelivered(directory), directory=directory)
        if not consent.is_yes(answer(asked)):
            raise UserError(texts.text("uninstall", "refused"))
    did = remove(directory)
    if json:
        _json(did._asdict())
    else:
        _say(texts.text("uninstall", "removed", files=", ".join(did.removed) or "-"))
        remains = "".join(f"  - {f}\n" for f in (*did.failed, *did.left))
        _say(texts.text("uninstall", "remains", files=remains))
    if did.failed:
        sys.exit(EXIT_WRONG)


def doctor(*, config: ConfigFile = None, lang: Lang = "", json: Json = False) -> None:
    """Is everything in order here? One line a question, with what to do. Exit code 1 when something must be done."""
    from probe.owner.doctor import report  # noqa: PLC0415

    settings = _settings(config)
    texts = messages.load(lang or settings.language)
    _without_logs()
    lines = report.examine(settings, texts)
    if json:
        _json(lines)
    else:
        for found in lines:
            fix = f"  ({texts.text('doctor', 'fix')}: {found.fix})" if found.fix else ""
            _say(f"{found.mark:<5} {found.question}: {found.says}{fix}")
    if code := report.worst(lines):
        sys.exit(code)


def show(*, config: ConfigFile = None, json: Json = False) -> None:
    """Every byte of the last segment, decoded: what exactly was, or will be, sent from here."""
    from probe.owner import show as shows  # noqa: PLC0415

    data = shows.raw(_settings(config))
    parts, contents = shows.byte_ranges(data), shows.contents(data)
    if json:
        _json({"bytes": len(data), "raw_hex": data.hex(), "envelope": parts, "contents": contents})
        return
    for part in parts:
        _say(f"{part.start:>5} to {part.end:<6} {part.what}: {part.value}")
    _json(contents)


def _settings(config: Path | None) -> Config:
    file = files.config_file(config)
    if file is None:
        file_there = files.directory() / files.CONFIG
        try:
            return configs.load(None)
        except UserError as e:
            raise UserError(f"no probe is set up here ({file_there} is not there): run blockonset probe setup") from e
    return configs.load(file)


def _directory(data: Path | None) -> Path:
    """The probe's directory, even when its configuration can't be read."""
    if data is not None:
        return data.absolute()
    try:
        return Path(_settings(None).data)
    except UserError:
        return files.directory()


def _without_logs() -> None:
    """What goes wrong is in the answer itself; whoever wants the log says BLOCKONSET_LOG."""
    logs.setup(os.environ.get("BLOCKONSET_LOG", "error"))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say_nothing(_text: str) -> None:
    """What is said to people is left out of JSON."""


def _json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
