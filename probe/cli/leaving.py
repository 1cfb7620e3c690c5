"""The commands with which the owner of a line ends a probe: panic, withdraw, uninstall."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from probe.base import times
from probe.base.errors import UserError
from probe.cli.options import (
    EXIT_FAILED,
    Data,
    Json,
    Lang,
    directory_of,
    log_errors_only,
    print_json,
    probe_directory_of,
    say,
    settings_of,
)
from probe.home import files, texts

Yes = Annotated[bool, Parameter(help="Don't ask.")]


def wipe(*, data: Data = None, lang: Lang = "", json: Json = False) -> None:
    """Stop the probe at once and wipe its key, its spool and everything else it wrote. Asks nothing."""
    from probe.owner.service import install  # noqa: PLC0415 - here and below: each command loads what it needs
    from probe.panic import panic  # noqa: PLC0415

    directory, words = directory_of(data), texts.load(lang)
    services = install.remove(install.service_manager())
    did = panic(directory)
    if json:
        print_json({**did._asdict(), "service": services})
    else:
        for file in services:
            say(words.text("panic", "service", what=file))
        stopped = "not_running" if not did.pid else "stopped" if did.stopped else "not_stopped"
        say(words.text("panic", stopped, pid=did.pid, error=""))
        wiped = "wiped" if did.files else "nothing"
        say(words.text("panic", wiped, files=", ".join(did.files), directory=directory))
        for failed in did.failed:
            file, _, error = failed.partition(": ")
            say(words.text("panic", "failed", file=file, error=error))
        say(words.text("panic", "cannot"))
    if did.failed or not did.stopped:
        sys.exit(EXIT_FAILED)


def withdraw(*, data: Data = None, lang: Lang = "", json: Json = False) -> None:
    """Stop for good, and ask the operator to publish no row of this probe from now on. Signed by its key.

    It connects to the collector once more, to hand the request over. Without any more contact: `panic`.
    """
    from probe.custody import withdrawal_delivery  # noqa: PLC0415
    from probe.home import config  # noqa: PLC0415
    from probe.protocol import withdrawal  # noqa: PLC0415

    directory, words = probe_directory_of(data), texts.load(lang)
    log_errors_only()
    line = withdrawal_delivery.sign(directory)
    try:
        settings = settings_of(None) if data is None else config.load(directory / files.CONFIG)
        error = withdrawal_delivery.hand_over(settings, directory)
        confirmed_ms = withdrawal_delivery.confirmed_ms(directory, settings.operator)
    except UserError as e:
        error, confirmed_ms = e.message, 0
    file = directory / files.WITHDRAWN
    if json:
        print_json(
            {
                "withdrawal": line,
                "file": str(file),
                "confirmed_ms": confirmed_ms or None,
                "error": "" if confirmed_ms else error,
            }
        )
        return
    asked = times.readable(withdrawal.read(line).asked_ms)
    say(words.text("withdraw", "done", file=file))
    say(line)
    if confirmed_ms:
        say(words.text("withdraw", "confirmed", when=times.readable(confirmed_ms), date=asked))
    else:
        say(words.text("withdraw", "waits", error=error, date=asked))
    say(words.text("withdraw", "cannot"))


def remove(*, data: Data = None, yes: Yes = False, lang: Lang = "", json: Json = False) -> None:
    """Remove the service, key, spool and logs, and say what remains."""
    from probe.home import consent  # noqa: PLC0415
    from probe.owner.uninstall import undelivered, uninstall  # noqa: PLC0415

    directory, words = directory_of(data), texts.load(lang)
    if not yes:
        answer = consent.at_terminal()
        if answer is None:
            raise UserError("uninstall removes the key and the spool: give --yes where nobody can be asked")
        asked = words.text("uninstall", "ask", spooled=undelivered(directory), directory=directory)
        if not consent.is_yes(answer(asked)):
            raise UserError(words.text("uninstall", "refused"))
    did = uninstall(directory)
    if json:
        print_json(did._asdict())
    else:
        say(words.text("uninstall", "removed", files=", ".join(did.removed) or "-"))
        remains = "".join(f"  - {f}\n" for f in (*did.failed, *did.left))
        say(words.text("uninstall", "remains", files=remains))
    if did.failed:
        sys.exit(EXIT_FAILED)
