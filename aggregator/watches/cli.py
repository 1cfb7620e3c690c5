"""`blockonset watch`: check, sign and show watches, and write invites."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from aggregator.watches.served import load
from probe.base.errors import UserError
from probe.protocol import invite as invites
from probe.protocol import watch_file
from probe.protocol.keys import Key

app = App(name="watch", help="Check, sign and show watches.")

Json = Annotated[bool, Parameter(help="Print JSON.")]


@app.command
def check(file: Path, /, *, json: Json = False) -> None:
    """Say whether a file is a complete and consistent watch; exit code 0 only if it is.

    Parameters
    ----------
    file
        A watch, signed or not.
    """
    found = load(file)
    said = {"watch": found.watch.id, "digest": found.watch.digest, "signer": found.signer or None}
    if json:
        _print_json(said)
        return
    by = f"signed by {found.signer}" if found.signer else "not signed"
    sys.stdout.write(f"{file}: watch {found.watch.id} is in order ({by})\n")


@app.command
def sign(
    file: Path,
    /,
    *,
    key: Annotated[Path, Parameter(help="The operator's key file; made where there is none.")],
    out: Annotated[Path | None, Parameter(help="Where to. Default: the file's name with .signed.")] = None,
) -> None:
    """Sign a watch with the operator's key, so that probes run it.

    Parameters
    ----------
    file
        The watch as TOML; signed anew if it was signed.
    """
    operator = Key.load_or_create(key, "operator")
    target = out or file.with_suffix(".signed")
    envelope = watch_file.sign(load(file).text, operator)
    try:
        target.write_bytes(envelope)
    except OSError as e:
        raise UserError(f"watch {target}: can't be written: {e.strerror}") from e
    sys.stdout.write(f"{target}: signed by {operator.id}\n")


@app.command
def invite(
    *,
    nats: Annotated[list[str], Parameter(help="A collector's URL, tls:// or wss://; once for each.")],
    signed_watch: Annotated[str, Parameter(help="Where volunteers get the signed watch: an https URL or a path.")],
    key: Annotated[Path, Parameter(help="The operator's key file.")],
    api: Annotated[str, Parameter(help="URL of the public API.")] = "",
    whoami: Annotated[str, Parameter(help="URL that tells a caller its network, as …/v1/whoami.")] = "",
) -> None:
    """Print an invite: the one line that a volunteer gives to `blockonset probe setup`."""
    said = invites.Invite(nats=tuple(nats), watch=signed_watch, api=api, whoami=whoami)
    sys.stdout.write(invites.write(said, Key.load(key, "operator")) + "\n")


@app.command
def show(file: Path, /, *, json: Json = False) -> None:
    """Show what a watch says.

    Parameters
    ----------
    file
        A watch, signed or not.
    """
    watch = load(file).watch
    if json:
        _print_json(watch)
        return
    out = Console(soft_wrap=True)
    fiction = " (fictional)" if watch.fictional else ""
    out.print(f"[bold]{watch.title}[/bold]{fiction}\n{watch.id}, {watch.service} in {watch.country}", highlight=False)
    out.print(f"every {watch.cadence_s:g} s, surfaces {', '.join(watch.surfaces.names())}, until {watch.expires}")
    for d in watch.directive.dates:
        out.print(f"{d.kind} {d.value} ({d.precision}, {d.timezone}, {d.bound}) {d.wording!r}", highlight=False)
    table = Table("provider", "name", "access", "networks")
    for p in watch.providers:
        table.add_row(p.id, p.name, p.access, ", ".join(f"AS{n.asn}" for n in p.networks))
    out.print(table)


def _print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
