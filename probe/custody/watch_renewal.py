"""A newer watch from the operator, so that a probe need not stop when its own expires.

On its visits a probe asks the collector, once a day, for a newer text of its watch. It takes one only if the operator
that it trusts has signed it, if it is the same watch and expires later, and if it asks no more of the volunteer than
what was agreed to: the same service and country, and not more often.
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
"""So long a probe with an expired watch, which measures nothing, still comes to ask for a newer one."""
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
    """The watch in force: the configured one, or a newer one that came. It may have expired. Raises UserError."""
    given = signed(Path(config.watch), config.operator)
    try:
        came = signed(_file(config), config.operator)
        check(given, came)
    except UserError:
        return given
    return came


def expired(watch: Watch) -> bool:
    """Whether a watch must not be measured any more."""
    return dt.date.fromisoformat(watch.expires) < times.today()


def check(have: Watch, new: Watch) -> None:
    """Raises WatchError for a watch that may not take the place of another without asking its volunteer."""
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
    """Asks for a newer watch and takes it in. `have` gives the present one, `take` is given a newer one."""

    def __init__(self, config: Config, key: Key, have: Callable[[], Watch], take: Callable[[Watch], None]) -> None:
        self._config = config
        self._key = key
        self._have = have
        self._take = take
        self._asked: float | None = None

    def is_due(self) -> bool:
        """Whether it is time to ask."""
        if notebook.held(Path(self._config.data)):
            return False
        return self._asked is None or time.monotonic() - self._asked >= ASK_S

    def is_urgent(self) -> bool:
        """Whether that is worth a visit of its own: the present watch has expired, and not long ago."""
        gone = times.today() - dt.date.fromisoformat(self._have().expires)
        return dt.timedelta(0) < gone <= AFTER_EXPIRY and self.is_due()

    async def do(self, connection: NatsLink) -> int:
        """Ask; how many messages that took. A collector that does not answer is asked again another day."""
        self._asked = time.monotonic()
        have = self._have()
        question = msgspec.json.encode(WatchRequest(watch=have.id, digest=have.digest))
        try:
            answer = await connection.request(f"q.{self._key.id}", question, timeout_s=self._config.ack_timeout_s)
        except (TimeoutError, ConnectionError) as e:
            log.debug("not told whether there is a newer watch", error=str(e))
            return 1
        if watch_file.is_signed(answer.data):
            self._offered(answer.data, have)
        return 1

    def _offered(self, raw: bytes, have: Watch) -> None:
        try:
            new = watch_file.open_signed(raw, self._config.operator, "the watch that was offered", times.today())
            check(have, new)
            private_file.write(_file(self._config), raw)
        except UserError as e:
            log.warning("a watch was offered and not taken", error=e.message)
            return
        log.info("a newer watch was taken", watch=new.id, expires=new.expires)
        self._take(new)


def _file(config: Config) -> Path:
    return Path(config.data) / files.RENEWED


def signed_watch(path: Path, operator_id: str) -> Watch:
    """The watch in a file that the operator signed. Raises UserError for one that may not be used."""
    watch = signed(path, operator_id)
    if expired(watch):
        raise UserError(f"watch {path}: expired on {watch.expires}: ask the operator for a new one")
    return watch
