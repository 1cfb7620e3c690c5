"""What a stack can measure: a lab scenario with country and fleet, or a real watch with one probe on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.lab import fleet, scenario
from infra.lab.truth import truth
from infra.lab.watch import watch_toml
from infra.up.report import Truth
from infra.up.supervisor import Part, blockonset
from probe.base.errors import UserError
from probe.home import consent
from probe.home import texts as messages
from probe.measure import data_use as projection
from probe.owner import setup
from probe.protocol import watch as watches
from probe.protocol.keys import Key


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

    def parts(self, directory: Path, *, nats_url: str, operator: str, signed_watch: Path) -> list[Part]:
        """The country first, then its probes."""
        both = ["--scenario", self._name, "--data", str(directory)]
        country = [*blockonset("lab", "country"), *both, "--zero-ms", str(self._zero_ms)]
        probes = [
            *blockonset("lab", "fleet"),
            *both,
            *("--nats", nats_url, "--operator", operator, "--watch", str(signed_watch)),
        ]
        return [Part(name="country", command=lambda: country), Part(name="fleet", command=lambda: probes)]

    def spools(self, directory: Path) -> list[Path]:
        """One spool a probe."""
        return fleet.spools(self._scenario, directory)

    def truth(self) -> dict[str, Truth]:
        """What the scenario says happened."""
        return {
            row["provider"]: Truth(**{k: row[k] for k in ("blocked", "onset", "lift", "method")})
            for row in truth(self._scenario, self._zero_ms)
        }


class WatchSubject:
    """A real watch, measured by one probe on this machine's own connection.

    Raises UserError for a file that can't be read or isn't a watch.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.watch_toml = path.read_bytes()
        except OSError as e:
            raise UserError(f"watch {path}: can't be read: {e.strerror}") from e
        self._watch = watches.read(self.watch_toml, f"watch {path}")
        self._consent: consent.Consent | None = None
        known = os.environ.get("BLOCKONSET_VANTAGE_ASN")
        self.advice = "One probe measures from this machine's own connection and contacts the service itself." + (
            ""
            if known
            else "\n  Its network is not known, so it counts for no provider. To say it: "
            "BLOCKONSET_VANTAGE_ASN=<number> BLOCKONSET_VANTAGE_ACCESS=<fixed|mobile> BLOCKONSET_VANTAGE_LINE=<a word>"
        )

    def agree(self, directory: Path, accepted: str, say: Callable[[str], None]) -> None:
        """Show whoever starts it what a volunteer is shown, and ask, unless they agreed to the same text before.

        Nothing is written yet. Raises UserError when they don't agree.
        """
        if self._watch.fictional:
            return
        before = consent.read(_folder(directory))
        if before is not None and consent.holds(before):
            self._consent = before
            return
        texts = messages.load()
        projected = projection.of(self._watch, 0.0)
        say(setup.explain(texts, self._watch, [texts.text("setup", "this_machine")], projected))
        say(texts.text("setup", "by_hand"))
        if texts.texts["about"]["reviewed"] != "yes":
            say(texts.text("consent", "unreviewed"))
        self._consent = consent.ask(texts, accepted, consent.at_terminal())

    def prepare(self, directory: Path) -> Sequence[str]:
        """Keep the consent, and make the probe's key."""
        if self._consent is not None:
            consent.save(_folder(directory), self._consent)
        return [Key.load_or_create(_folder(directory) / "probe.key", "user").id]

    def parts(self, directory: Path, *, nats_url: str, operator: str, signed_watch: Path) -> list[Part]:
        """The one probe. It is configured by the environment, so that its vantage can be said there too."""
        environment = {
            "BLOCKONSET_DATA": str(_folder(directory)),
            "BLOCKONSET_NATS": nats_url,
            "BLOCKONSET_OPERATOR": operator,
            "BLOCKONSET_WATCH": str(signed_watch),
            "BLOCKONSET_DELIVER_EVERY_S": "0",
        }
        return [Part(name="probe", command=lambda: blockonset("probe", "run"), environment=environment)]

    def spools(self, directory: Path) -> list[Path]:
        """The one spool."""
        return [_folder(directory) / "spool.db"]

    def truth(self) -> dict[str, Truth]:
        """Nobody knows: that is why we measure."""
        return {}


def _folder(directory: Path) -> Path:
    return directory / "probe"
