"""The commands with which the owner of a line sets a probe up, inspects it and pauses it.

Every command that prints a result has `--json`, and exit code 0 only on success. The work is done by the modules of
`probe.owner`; each command loads only those that it needs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from probe.base import times
from probe.base.errors import UserError
from probe.cli import leaving
from probe.cli.options import (
    AccessWord,
    ConfigFile,
    Data,
    Json,
    Lang,
    LineName,
    LineWord,
    log_errors_only,
    print_json,
    probe_directory_of,
    say,
    settings_of,
)
from probe.home import files, texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from cyclopts import App


def add_to(app: App) -> None:
    """Add the commands to the part `probe`."""
    commands: dict[str, Callable[..., None]] = {
        "setup": set_up,
        "status": show_status,
        "network": describe_network,
        "pause": pause_probe,
        "resume": resume_probe,
        "panic": leaving.wipe,
        "withdraw": leaving.withdraw,
        "uninstall": leaving.remove,
        "doctor": examine,
        "show": show_segment,
    }
    for name, function in commands.items():
        app.command(function, name=name)


def set_up(
    invite: Annotated[str, Parameter(help="The line that the operator gave you: blockonset1:…")],
    /,
    *,
    data: Data = None,
    watch: Annotated[
        Path | None, Parameter(help="The signed watch as a file, if it can't be fetched from where the invite says.")
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
    """Set up a probe on this line: explain what it does, ask for your consent, create its key, and offer a service."""
    from probe.home import consent  # noqa: PLC0415 - here and below: each command loads what it needs
    from probe.owner.setup import SetupRequest, prepare, serve  # noqa: PLC0415

    words = texts.load(lang)
    show = _say_nothing if json else say
    answer = None if json else consent.at_terminal()
    directory = (data or files.directory()).absolute()
    request = SetupRequest(invite, directory, watch, accept_risk, access, line_kind, line, ca_file)
    ready = prepare(request, words, show, answer)
    about_service, service_runs = serve(ready, words, service, answer)
    show(about_service)
    show(words.text("setup", "done"))
    if json:
        print_json(
            {
                "probe": ready.id,
                "config": str(ready.config),
                "consent": ready.consent.version,
                "service": service_runs,
                "projected_month_bytes": ready.projection.month,
            }
        )
    if service and not service_runs:
        raise UserError(about_service)


def show_status(*, config: ConfigFile = None, lang: Lang = "", api: bool = True, json: Json = False) -> None:
    """Show what the probe did today, what waits, and how many lines are behind the answers that it counts for.

    Parameters
    ----------
    api
        Ask the operator's public API; with --no-api nothing is contacted.
    """
    from probe.custody import watch_renewal  # noqa: PLC0415
    from probe.owner.status import in_words, status  # noqa: PLC0415

    settings = settings_of(config)
    try:
        watch = watch_renewal.present(settings)
    except UserError:
        watch = None
    found = status(settings, watch, ask_api=api)
    if json:
        print_json(found)
    else:
        say("\n".join(in_words(found, texts.load(lang or settings.language))))


def describe_network(
    *,
    data: Data = None,
    access: AccessWord = "unknown",
    line_kind: LineWord = "unknown",
    line: LineName = "",
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Describe the network that this machine is in now. The probe remembers it under a name that only it can recognise.

    At a terminal it asks for what is not given. A run in a network of which nothing is known may count for no provider.
    """
    from probe.home import consent  # noqa: PLC0415
    from probe.owner import ask_network  # noqa: PLC0415
    from probe.place import this_network  # noqa: PLC0415

    directory, words = probe_directory_of(data), texts.load(lang)
    network, asn = this_network.current_network(), ask_network.learnt_asn(directory)
    answer = None if json else consent.at_terminal()
    known = ask_network.declared(access, line_kind, line)
    if answer is not None:
        known = ask_network.ask(words, answer, network, known)
    elif access == line_kind == "unknown" and not line:
        raise UserError(words.text("network", "no_terminal"))
    ask_network.remember(directory, network, known, asn)
    if json:
        print_json(known)
    else:
        say(words.text("network", "kept", access=known.access, line=known.line_kind))


def pause_probe(
    duration: Annotated[str, Parameter(help="30m, 8h, 2d; without one until `resume`.")] = "",
    /,
    *,
    data: Data = None,
    lang: Lang = "",
) -> None:
    """Measure and send nothing for a while (30m, 8h, 2d), or until `resume`."""
    from probe.owner.pause import pause  # noqa: PLC0415

    until, words = pause(probe_directory_of(data), duration), texts.load(lang)
    say(words.text("pause", "open") if until is None else words.text("pause", "until", until=times.readable(until)))


def resume_probe(*, data: Data = None, lang: Lang = "") -> None:
    """End a pause."""
    from probe.owner.pause import resume  # noqa: PLC0415

    was_paused = resume(probe_directory_of(data))
    say(texts.load(lang).text("pause", "resumed" if was_paused else "not_paused"))


def examine(*, config: ConfigFile = None, lang: Lang = "", json: Json = False) -> None:
    """Examine what keeps the probe from measuring or delivering: one line a question, with what to do about it.

    Exit code 1 when something must be done.
    """
    from probe.owner.doctor import report  # noqa: PLC0415

    settings = settings_of(config)
    words = texts.load(lang or settings.language)
    log_errors_only()
    lines = report.examine(settings, words)
    if json:
        print_json(lines)
    else:
        for line in lines:
            fix = f"  ({words.text('doctor', 'fix')}: {line.fix})" if line.fix else ""
            say(f"{line.mark:<5} {line.question}: {line.says}{fix}")
    if code := report.worst(lines):
        sys.exit(code)


def show_segment(*, config: ConfigFile = None, json: Json = False) -> None:
    """Show every byte of the last segment, decoded: exactly what was sent from here, or will be."""
    from probe.owner.show import byte_ranges, contents, raw  # noqa: PLC0415

    data = raw(settings_of(config))
    ranges, decoded = byte_ranges(data), contents(data)
    if json:
        print_json({"bytes": len(data), "raw_hex": data.hex(), "envelope": ranges, "contents": decoded})
        return
    for part in ranges:
        say(f"{part.start:>5} to {part.end:<6} {part.what}: {part.value}")
    print_json(decoded)


def _say_nothing(_text: str) -> None:
    """Leave out what is meant for people, when JSON is printed."""
