"""The probe's directory and the names of the files in it. Standard library only, since `probe.panic` uses it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOME_VARIABLE = "BLOCKONSET_PROBE_HOME"
CONFIG_VARIABLE = "BLOCKONSET_PROBE_CONFIG"
CONFIG = "probe.toml"
KEY = "probe.key"
SPOOL = "spool.db"
SPOOL_LOCK = "spool.lock"
"""Locked by the probe that uses the spool. It holds the process ids of the agent and of its worker, if there is one."""
LOG = "probe.log"
WATCH = "watch.signed"
"""The signed watch that `setup` was given."""
RENEWED = "watch.renewed"
"""A later signed text of that watch, received from the collector."""
STATE = "state.json"
PAUSED = "paused.json"
LAST_SEGMENT = "last-segment.bo1"
CONSENT = "consent.json"
NETWORKS = "networks.json"
WITHDRAWN = "withdrawal.txt"
WITHDRAWAL_RECEIPT = "withdrawal.receipt"


def directory() -> Path:
    """`BLOCKONSET_PROBE_HOME`, or this system's place for a person's program data."""
    if chosen := os.environ.get(HOME_VARIABLE):
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
    if chosen := os.environ.get(CONFIG_VARIABLE):
        return Path(chosen)
    written = directory() / CONFIG
    return written if written.exists() else None
