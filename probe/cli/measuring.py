"""`blockonset probe`: the commands that measure from this connection. Loaded only when called, see `probe.cli.main`.

The other commands of `probe` (setup, status, pause, panic …) are in `probe.cli.owner` and `probe.cli.leaving`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from probe.base.errors import UserError
from probe.cli import owner
from probe.cli.main import main
from probe.cli.options import Json, print_json
from probe.home import files
from probe.home.config import probe_variables
from probe.protocol import watch_file
from probe.protocol.measurement import Vantage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.protocol.measurement import Measurement
    from probe.protocol.watch import Watch

__all__ = ["VARIABLES", "app", "main"]

VARIABLES = probe_variables()

app = App(name="probe", help="Measure from this connection, and deliver what was measured.")
owner.add_to(app)

ConfigFile = Annotated[
    Path | None, Parameter(help="The probe's TOML file; variables (BLOCKONSET_PROBE_…) take precedence over it.")
]
WatchFile = Annotated[Path | None, Parameter(help="A watch, signed or not: an unsigned one is trusted as it is.")]


@app.command
def run(*, config: ConfigFile = None) -> None:
    """Measure at the watch's cadence and deliver, until stopped (Ctrl-C, SIGTERM).

    Without --config it uses the configuration that `setup` wrote, or else the environment alone. At a terminal it asks
    about a network that is new. Prints {"probe": ID} on a line of its own once it measures.
    """
    from probe.agent import daemon, loading  # noqa: PLC0415 - here and below: each command loads what it needs
    from probe.home import consent, texts  # noqa: PLC0415
    from probe.owner import ask_network  # noqa: PLC0415

    file = files.config_file(config)
    settings, watch = loading.check(file)  # errors are reported here, before this process is replaced
    if not watch.fictional:
        ask_network.offer(settings, texts.load(settings.language), consent.at_terminal())
    os.execv(sys.executable, daemon.command(file))  # noqa: S606 - our own interpreter and module


@app.command
def once(*, config: ConfigFile = None, watch: WatchFile = None, json: Json = False) -> None:
    """Measure one run now and print it. With --config it is spooled and delivered too.

    It contacts what the watch lists, from here.
    """
    from probe.agent import loading  # noqa: PLC0415

    if config is None:
        made = _measure(_watch(watch))
    elif watch is not None:
        raise UserError("give either --config or --watch: a configuration names its own, signed watch")
    else:
        made = asyncio.run(loading.probe(files.config_file(config)).once())
    _print(made, json=json)


@app.command
def check(name: str, /, *, watch: WatchFile = None, json: Json = False) -> None:
    """Do one check now and print every step with its timing. Nothing is spooled or sent to the operator.

    It contacts what the watch lists, from here.

    Parameters
    ----------
    name
        A check, such as telegram, dns, tcp, tls or http.
    """
    from probe.measure.run import choose  # noqa: PLC0415

    watch_ = _watch(watch)
    choose(watch_, [name])  # a wrong name is reported before the network is prepared
    _print(_measure(watch_, [name]), json=json)


def _measure(watch: Watch, checks: Sequence[str] | None = None) -> Sequence[Measurement]:
    """One run from an unknown vantage; a VPN in the way is logged."""
    from probe.measure.run import measure  # noqa: PLC0415
    from probe.net.network import Network  # noqa: PLC0415
    from probe.place.path_notice import PathNotice  # noqa: PLC0415
    from probe.place.vantage import configured  # noqa: PLC0415

    made = asyncio.run(measure(watch, Network(), configured(Vantage()), checks=checks))
    if made:
        PathNotice().report(made[0].vantage)
    return made


def _watch(path: Path | None) -> Watch:
    """The watch in a file that a person named, signed or not. A signature that is there must be valid."""
    if path is None:
        raise UserError("say what to measure: --watch FILE (for example infra/watches/telegram-vn-2025.toml)")
    try:
        return watch_file.read(watch_file.text_of(path.read_bytes(), str(path)).text, str(path))
    except OSError as e:
        raise UserError(f"watch {path}: can't be read: {e.strerror}") from e
    except watch_file.WatchError as e:
        raise UserError(f"watch {e}") from e


def _print(measurements: Sequence[Measurement], *, json: bool) -> None:
    if json:
        print_json(measurements)
        return
    from probe.base.console import console  # noqa: PLC0415
    from probe.cli import tables  # noqa: PLC0415

    output = console()
    for measurement in measurements:
        output.print(tables.steps(measurement))
