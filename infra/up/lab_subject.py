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
            "Everybody in it is invented. The first blocks come within half a minute; all has happened after "
            f"{self._scenario.runs_s:.0f} s."
        )

    def agree(self, directory: Path, accepted: str, say: Callable[[str], None]) -> None:
        """Nobody has to agree to anything: it contacts nobody."""

    def prepare(self, directory: Path) -> Sequence[str]:
        """Make the keys of the fleet."""
        return fleet.prepare(self._scenario, directory)

    def parts(self, directory: Path, *, nats_url: str, operator: str, signed_watch: Path) -> list[StackProcess]:
        """The country first, then its probes."""
        both = ["--scenario", self._name, "--data", str(directory)]
        country = [*blockonset("lab", "country"), *both, "--zero-ms", str(self._zero_ms)]
        probes = [
            *blockonset("lab", "fleet"),
            *both,
            *("--nats", nats_url, "--operator", operator, "--watch", str(signed_watch)),
        ]
        return [
            StackProcess(name="country", command=lambda: country),
            StackProcess(name="fleet", command=lambda: probes),
        ]

    def spools(self, directory: Path) -> list[Path]:
        """One spool a probe."""
        return fleet.spools(self._scenario, directory)

    def truth(self) -> dict[str, ProviderTruth]:
        """What the scenario says happened."""
        return {
            row["provider"]: ProviderTruth(**{k: row[k] for k in ("blocked", "onset", "lift", "method")})
            for row in truth(self._scenario, self._zero_ms)
        }
