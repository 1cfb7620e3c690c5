"""Where a volunteer's probe lives: one directory with its configuration, key, spool and logs. Standard library only."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "probe.toml"


def directory() -> Path:
    """`BLOCKONSET_HOME`, or this system's place for a person's program data."""
    if chosen := os.environ.get("BLOCKONSET_HOME"):
        return Path(chosen).absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "Blockonset"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Blockonset"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "blockonset"


def config_file(given: Path | None) -> Path | None:
    """The configuration to use: the one given, else the one that `setup` wrote, else None (the environment alone)."""
    if given is not None:
        return given
    if "BLOCKONSET_CONFIG" in os.environ:
        return Path(os.environ["BLOCKONSET_CONFIG"])
    written = directory() / CONFIG
    return written if written.exists() else None


STATE, PAUSED, LAST_SEGMENT = "state.json", "paused.json", "last-segment.bo1"
WITHDRAWN, WITHDRAWAL_RECEIPT, CONSENT = "withdrawal.txt", "withdrawal.receipt", "consent.json"
NETWORKS, RENEWED = "networks.json", "watch.renewed"
