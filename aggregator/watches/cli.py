"""`blockonset watch`: check, sign and show watches, and write invites."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.table import Table

from aggregator.watches.served import load
from probe.base.console import console
from probe.base.errors import UserError
from probe.protocol import invite, watch_file
from probe.protocol.keys import Key

app = App(name="watch", help="Check, sign and show watches, and write invites.")

Json = Annotated[bool, Parameter(help="Print JSON.")]


@app.command
def check(file: Path, /, *, json: Json = False) -> None:
    """Check that a file is a complete and consistent watch. The exit code is 0 if it is, else 2.

    Parameters
    ----------
    file
        A watch, signed or not.
    """
    loaded = load(file)
    if json:
        _print_json({"watch": loaded.watch.id, "digest": loaded.watch.digest, "signer": loaded.signer or None})
        return
    signature = f"signed by {loaded.signer}" if loaded.signer else "not signed"
    sys.stdout.write(f"{file}: watch {loaded.watch.id} is complete and consistent ({signature})\n")


@app.command
def sign(
    file: Path,
    /,
    *,
    key: Annotated[Path, Parameter(help="The operator's key file; created if missing.")],
    out: Annotated[
        Path | None, Parameter(help="File to write. Default: the watch's file name, ending in .signed.")
    ] = None,
) -> None:
    """Sign a watch with the operator's key, so that probes run it.

    Parameters
    ----------
    file
        A watch, as TOML or signed; an earlier signature is replaced.
    """
    operator = Key.load_or_create(key, "operator")
    target = out or file.with_suffix(".signed")
    envelope = watch_file.sign(load(file).text, operator)
    try:
        target.write_bytes(envelope)
    except OSError as e:
        raise UserError(
            f"signed watch {target}: can't be written: {e.strerror}. Choose another file with --out."
        ) from e
    sys.stdout.write(f"{target}: signed by {operator.id}\n")


@app.command(name="invite")
def print_invite(
    *,
    nats: Annotated[
        list[str], Parameter(help="A collector's URL, tls:// or wss://; may be given more than once.", negative="")
    ],
    signed_watch: Annotated[str, Parameter(help="Where volunteers get the signed watch: an https URL or a path.")],
    key: Annotated[Path, Parameter(help="The operator's key file.")],
    api: Annotated[str, Parameter(help="URL of the public API.")] = "",
    whoami: Annotated[str, Parameter(help="URL that answers with the caller's network, such as …/v1/whoami.")] = "",
) -> None:
    """Print an invite: the one line that a volunteer gives to `blockonset probe setup`."""
    body = invite.Invite(nats=tuple(nats), watch=signed_watch, api=api, whoami=whoami)
    sys.stdout.write(invite.write(body, Key.load(key, "operator")) + "\n")


@app.command
def show(file: Path, /, *, json: Json = False) -> None:
    """Show the contents of a watch.

    Parameters
    ----------
    file
        A watch, signed or not.
    """
    watch = load(file).watch
    if json:
        _print_json(watch)
        return
    output = console(soft_wrap=True)
    fictional = " (fictional)" if watch.fictional else ""
    output.print(
        f"[bold]{watch.title}[/bold]{fictional}\n{watch.id}, {watch.service} in {watch.country}", highlight=False
    )
    output.print(f"every {watch.cadence_s:g} s, surfaces {', '.join(watch.surfaces.names())}, until {watch.expires}")
    for d in watch.directive.dates:
        output.print(f"{d.kind} {d.value} ({d.precision}, {d.timezone}, {d.bound}) {d.wording!r}", highlight=False)
    table = Table("provider", "name", "access", "networks")
    for p in watch.providers:
        table.add_row(p.id, p.name, p.access, ", ".join(f"AS{n.asn}" for n in p.networks))
    output.print(table)


def _print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
