"""What the commands of `blockonset probe` have in common: their options, and how they find and print things."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from probe.base import logs
from probe.base.errors import UserError
from probe.home import config, files
from probe.place.this_network import Access, LineKind

if TYPE_CHECKING:
    from probe.home.config import Config

ConfigFile = Annotated[Path | None, Parameter(help="The probe's TOML file. Default: what `setup` wrote.")]
Data = Annotated[Path | None, Parameter(help="The probe's directory. Default: where `setup` puts it.")]
Json = Annotated[bool, Parameter(help="Print JSON.")]
Lang = Annotated[str, Parameter(help="Language of the texts: en or vi. Default: the environment's.")]
AccessWord = Annotated[Access, Parameter(help="How this network is connected: fixed (fibre, cable, DSL) or mobile.")]
LineWord = Annotated[LineKind, Parameter(help="Where this network is, or what kind of line it is.")]
LineName = Annotated[str, Parameter(help="A word for this line, which is sent: probes on one line must have the same.")]
EXIT_FAILED = 1


def settings_of(file: Path | None) -> Config:
    """The configuration in a file; for None the one that `setup` wrote, or the environment's. Raises UserError."""
    return config.load(files.config_file(file))


def directory_of(data: Path | None) -> Path:
    """The probe's directory, even when its configuration can't be read."""
    if data is not None:
        return data.absolute()
    try:
        return Path(settings_of(None).data).absolute()
    except UserError:
        return Path(os.environ.get(f"{config.PREFIX}DATA") or files.directory()).absolute()


def probe_directory_of(data: Path | None) -> Path:
    """The same; raises UserError if there is no such directory, which means that no probe is set up."""
    directory = directory_of(data)
    if not directory.is_dir():
        raise UserError(f"no probe is set up here ({directory} does not exist): run blockonset probe setup")
    return directory


def log_errors_only() -> None:
    """For commands whose output contains what goes wrong. BLOCKONSET_LOG sets another level."""
    logs.setup(os.environ.get("BLOCKONSET_LOG", "error"))


def say(text: str) -> None:
    """Print a line of text."""
    sys.stdout.write(text + "\n")


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
