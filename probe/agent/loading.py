"""From a configuration file to a probe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from probe.agent.probe import Probe
from probe.custody import watch_renewal
from probe.home import config, consent, texts
from probe.net.network import Network

if TYPE_CHECKING:
    from probe.home.config import Config
    from probe.protocol.watch import Watch


def check(file: Path | None) -> tuple[Config, Watch]:
    """Read a configuration and its watch, which must be signed and consented to. Raises UserError.

    An expired watch is accepted: the probe then measures nothing, delivers what waits, and asks for a newer watch.
    """
    settings = config.load(file)
    watch = watch_renewal.present(settings)
    if not watch.fictional:  # a lab's network is on this machine and contacts nobody
        consent.require(Path(settings.data), settings.accept_risk, texts.load(settings.language))
    return settings, watch


def probe(file: Path | None) -> Probe:
    """The probe of a configuration. Raises UserError."""
    settings, watch = check(file)
    return Probe(settings, Network(), watch)
