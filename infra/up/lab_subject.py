"""A stack over a fictional country of the lab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from infra.child import blockonset
from infra.lab import fleet, scenario
from infra.lab.truth import truth
from infra.lab.watch import watch_toml
from infra.up.report import ProviderTruth
from infra.up.supervisor import StackProcess


class LabSubject:
    """A fictional country. `zero_ms` is its zero time, milliseconds since the epoch.

    Raises UserError for an unknown or bad scenario.
    """

    def __init__(self, name: str, zero_ms: int) -> None:
        self._name = name
        self._zero_ms = zero_ms
        self._scenario = scenario.load(name)
        self.watch_toml = watch_toml(self._scenario, zero_ms)
        self.advice = (
            "Everybody in it is invented. The first blocks begin within half a minute, and the scenario is over after "
            f"{self._scenario.runs_s:.0f} s."
        )

    def agree(self, directory: Path, accepted: str, say: Callable[[str], None]) -> None:
        """Nothing to agree to: the lab contacts nobody."""

    def prepare(self, directory: Path) -> Sequence[str]:
        """Create the keys of the fleet's probes and return their ids."""
        return fleet.prepare(self._scenario, directory)

    def processes(self, directory: Path, *, nats_url: str, operator: str, signed_watch: Path) -> list[StackProcess]:
        """The country, then the fleet of probes in it."""
        common = ["--scenario", self._name, "--data", str(directory)]
        country = [*blockonset("lab", "country"), *common, "--zero-ms", str(self._zero_ms)]
        probe_fleet = [
            *blockonset("lab", "fleet"),
            *common,
            *("--nats", nats_url, "--operator", operator, "--watch", str(signed_watch)),
        ]
        return [
            StackProcess(name="country", command=lambda: country),
            StackProcess(name="fleet", command=lambda: probe_fleet),
        ]

    def spools(self, directory: Path) -> list[Path]:
        """One spool per probe."""
        return fleet.spools(self._scenario, directory)

    def truth(self) -> dict[str, ProviderTruth]:
        """What really happened at each provider, from the scenario."""
        return {
            row["provider"]: ProviderTruth(**{k: row[k] for k in ("blocked", "onset", "lift", "method")})
            for row in truth(self._scenario, self._zero_ms)
        }
