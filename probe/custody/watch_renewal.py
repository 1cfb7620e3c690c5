"""Renews a probe's watch, so that the probe need not stop when the watch expires.

Once a day, on a visit, a probe asks the collector for a newer version of its watch. It accepts one only if the operator
that it trusts has signed it, if it is the same watch and expires later, and if the volunteer need not agree anew: the
same service and country, and measured no more often.
"""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from probe.base import private_file, times
from probe.base.errors import UserError
from probe.home import files, notebook
from probe.protocol import watch_file
from probe.protocol.keys import Key
from probe.protocol.questions import WatchRequest
from probe.protocol.watch_file import WatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.home.config import Config
    from probe.nats.link import NatsLink
    from probe.protocol.keys import Key
    from probe.protocol.watch import Watch

log = structlog.get_logger()

ASK_S = 86_400.0
AFTER_EXPIRY = dt.timedelta(days=30)
"""How long a probe with an expired watch, which measures nothing, still makes visits to ask for a newer one."""
_ANY_DAY = dt.date.min


def signed(path: Path, operator_id: str) -> Watch:
    """The watch in a file that the operator signed, expired or not. Raises UserError."""
    try:
        return watch_file.open_signed(path.read_bytes(), operator_id, str(path), _ANY_DAY)
    except OSError as e:
        raise UserError(f"watch {path}: can't be read: {e.strerror}") from e
    except WatchError as e:
        raise UserError(f"watch {e}") from e


def present(config: Config) -> Watch:
    """The watch in force: the configured one, or one that renewed it. It may have expired. Raises UserError."""
    configured = signed(Path(config.watch), config.operator)
    try:
        renewed = signed(_file(config), config.operator)
        check(configured, renewed)
    except UserError:
        return configured
    return renewed


def expired(watch: Watch) -> bool:
    """Whether a watch has expired and must not be measured any more."""
    return dt.date.fromisoformat(watch.expires) < times.today()


def check(have: Watch, new: Watch) -> None:
    """Raises WatchError unless `new` may replace `have` without asking the volunteer."""
    if new.id != have.id:
        raise WatchError(f"{new.id}: is another watch than {have.id}")
    if new.expires <= have.expires:  # ISO dates
        raise WatchError(f"{new.id}: expires on {new.expires}, not later than the present one")
    for key in ("service", "country", "fictional"):
        if getattr(new, key) != getattr(have, key):
            raise WatchError(f"{new.id}: {key} is {getattr(new, key)!r}: run blockonset probe setup to agree to it")
    if new.cadence_s < have.cadence_s:
        raise WatchError(f"{new.id}: measures more often: run blockonset probe setup to agree to it")


class WatchRenewal:
    """Asks for a newer watch on a visit. `have` gives the present one; `take` is called with a newer one."""

    def __init__(self, config: Config, key: Key, have: Callable[[], Watch], take: Callable[[Watch], None]) -> None:
        self._config = config
        self._key = key
        self._have = have
        self._take = take
        self.asked_s: float | None = None
        """When the collector was last asked, in monotonic seconds; None for never."""

    def is_due(self) -> bool:
        """Whether it is time to ask."""
        if notebook.held(Path(self._config.data)):
            return False
        return self.asked_s is None or time.monotonic() - self.asked_s >= ASK_S

    def is_urgent(self) -> bool:
        """Whether to make a visit for this alone: the present watch has expired, at most `AFTER_EXPIRY` ago."""
        gone = times.today() - dt.date.fromisoformat(self._have().expires)
        return dt.timedelta(0) < gone <= AFTER_EXPIRY and self.is_due()

    async def do(self, connection: NatsLink) -> int:
        """Ask. Returns the number of messages. A collector that does not answer is asked again the next day."""
        self.asked_s = time.monotonic()
        have = self._have()
        question = msgspec.json.encode(WatchRequest(watch=have.id, digest=have.digest))
        try:
            answer = await connection.request(f"q.{self._key.id}", question, timeout_s=self._config.ack_timeout_s)
        except (TimeoutError, ConnectionError) as e:
            log.debug("the collector did not answer whether there is a newer watch", error=str(e))
            return 1
        if watch_file.is_signed(answer.data):
            self._offered(answer.data, have)
        return 1

    def _offered(self, raw: bytes, have: Watch) -> None:
        """Check and keep a watch that the collector offered."""
        try:
            new = watch_file.open_signed(raw, self._config.operator, "the watch that was offered", times.today())
            check(have, new)
            private_file.write(_file(self._config), raw)
        except UserError as e:
            log.warning("an offered watch was refused", error=e.message)
            return
        log.info("the watch was renewed", watch=new.id, expires=new.expires)
        self._take(new)


def _file(config: Config) -> Path:
    return Path(config.data) / files.RENEWED


def signed_watch(path: Path, operator_id: str) -> Watch:
    """The watch in a file that the operator signed. Raises UserError if it is invalid or has expired."""
    watch = signed(path, operator_id)
    if expired(watch):
        raise UserError(f"watch {path}: expired on {watch.expires}: ask the operator for a new one")
    return watch
