"""A stack over a real watch, with one probe on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.child import blockonset
from infra.up.report import ProviderTruth
from infra.up.supervisor import StackProcess
from probe.base.errors import UserError
from probe.home import consent
from probe.home import texts as messages
from probe.measure import data_use
from probe.owner import setup
from probe.protocol import watch_file
from probe.protocol.keys import Key


class WatchSubject:
    """A real watch, measured by one probe on this machine's own connection.

    Raises UserError for a file that can't be read or isn't a watch.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.watch_toml = path.read_bytes()
        except OSError as e:
            raise UserError(f"watch {path}: can't be read: {e.strerror}") from e
        self._watch = watch_file.read(self.watch_toml, f"watch {path}")
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
        projected = data_use.of(self._watch, 0.0)
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

    def parts(self, directory: Path, *, nats_url: str, operator: str, signed_watch: Path) -> list[StackProcess]:
        """The one probe. It is configured by the environment, so that its vantage can be said there too."""
        environment = {
            "BLOCKONSET_DATA": str(_folder(directory)),
            "BLOCKONSET_NATS": nats_url,
            "BLOCKONSET_OPERATOR": operator,
            "BLOCKONSET_WATCH": str(signed_watch),
            "BLOCKONSET_DELIVER_EVERY_S": "0",
        }
        return [StackProcess(name="probe", command=lambda: blockonset("probe", "run"), environment=environment)]

    def spools(self, directory: Path) -> list[Path]:
        """The one spool."""
        return [_folder(directory) / "spool.db"]

    def truth(self) -> dict[str, ProviderTruth]:
        """Nobody knows: that is why we measure."""
        return {}


def _folder(directory: Path) -> Path:
    return directory / "probe"
