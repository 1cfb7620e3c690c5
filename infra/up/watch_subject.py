"""A stack over a real watch, with one probe on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.child import blockonset
from infra.up.report import ProviderTruth
from infra.up.supervisor import StackProcess
from probe.base.errors import UserError
from probe.home import config, consent, files, texts
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
        self.advice = "One probe measures from this machine's own connection and contacts the service itself."
        if not os.environ.get(f"{config.PREFIX}VANTAGE_ASN"):
            self.advice += (
                "\n  Its network is not known, so its measurements count for no provider. To name the network, set "
                f"{config.PREFIX}VANTAGE_ASN=<number> {config.PREFIX}VANTAGE_ACCESS=<fixed|mobile> "
                f"{config.PREFIX}VANTAGE_LINE=<a word>."
            )

    def agree(self, directory: Path, accepted: str, say: Callable[[str], None]) -> None:
        """Show the consent text that volunteers are shown, and ask, unless the same text was agreed to before.

        Nothing is written yet. Raises UserError when the person doesn't agree.
        """
        if self._watch.fictional:
            return
        earlier = consent.read(_probe_home(directory))
        if earlier is not None and consent.holds(earlier):
            self._consent = earlier
            return
        local_texts = texts.load()
        projected = data_use.of(self._watch, 0.0)
        say(setup.explain(local_texts, self._watch, [local_texts.text("setup", "this_machine")], projected))
        say(local_texts.text("setup", "by_hand"))
        if local_texts.texts["about"]["reviewed"] != "yes":
            say(local_texts.text("consent", "unreviewed"))
        self._consent = consent.ask(local_texts, accepted, consent.at_terminal())

    def prepare(self, directory: Path) -> Sequence[str]:
        """Store the consent, create the probe's key, and return its id."""
        if self._consent is not None:
            consent.save(_probe_home(directory), self._consent)
        return [Key.load_or_create(_probe_home(directory) / files.KEY, "user").id]

    def processes(self, directory: Path, *, nats_url: str, operator: str, signed_watch: Path) -> list[StackProcess]:
        """The one probe. It is configured by environment variables, so that its vantage can be given there too."""
        environment = {
            f"{config.PREFIX}DATA": str(_probe_home(directory)),
            f"{config.PREFIX}NATS": nats_url,
            f"{config.PREFIX}OPERATOR": operator,
            f"{config.PREFIX}WATCH": str(signed_watch),
            f"{config.PREFIX}DELIVER_EVERY_S": "0",
        }
        return [StackProcess(name="probe", command=lambda: blockonset("probe", "run"), environment=environment)]

    def spools(self, directory: Path) -> list[Path]:
        """The one spool."""
        return [_probe_home(directory) / files.SPOOL]

    def truth(self) -> dict[str, ProviderTruth]:
        """Empty: in the real world the truth isn't known."""
        return {}


def _probe_home(directory: Path) -> Path:
    return directory / "probe"
