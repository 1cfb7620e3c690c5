"""Logs what keeps a probe's runs from counting for its provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from probe.protocol.measurement import PathKind, Vantage

log = structlog.get_logger()

_REASONS = {
    "vpn": "a VPN or another tunnel carries them: switch it off to measure, or pause the probe",
    "proxy": "this machine is set up to use a proxy (the variables http_proxy and the like)",
    "split": "they leave over two networks: a VPN or a second connection carries a part of them",
    "changed": "the network changed during a run",
}


class PathNotice:
    """Logs once when a probe's runs begin to take a path that does not count, and once when that ends.

    Interfaces and addresses are never logged.
    """

    def __init__(self) -> None:
        self.reported: PathKind = "direct"
        """The path that was reported last, for the probe's next process."""

    def report(self, vantage: Vantage) -> None:
        """Log how a run's path differs from the last one that was reported."""
        path: PathKind = "changed" if vantage.changed else vantage.path
        if path in {self.reported, "unknown"}:
            return
        self.reported = path
        if path == "direct":
            log.info("measuring over the line itself again")
        else:
            log.warning("these runs count for no provider", why=_REASONS[path])
