"""A withdrawal: one line, signed by the probe's key, that asks the operator to publish no row of it from now on.

It is handed to the collector on `q.<probe>` and kept there; the operator's signed receipt says so, and is kept here.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

import msgspec
import structlog

from probe.base.errors import UserError
from probe.custody.publisher import Question, now
from probe.home import notebook as state
from probe.protocol import receipt as receipts
from probe.protocol import signed_text as oneline
from probe.protocol.keys import Key

if TYPE_CHECKING:
    from pathlib import Path

    from probe.home.config import Config
    from probe.nats.link import Connection

log = structlog.get_logger()

WHAT = "blockonset-withdrawal1"
TRY_MS = 7 * 86_400_000
"""So long a running probe goes on trying. Who wants out must not be made to call for ever."""


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """A request signed with the probe's key: publish none of my rows from this time on."""

    format: int = 1
    probe: str
    asked_ms: int
    request: str = "publish no row of this key from now on"


def sign(directory: Path) -> str:
    """Stop measuring and sending for good, and sign the request. The line; the same one if it was signed before.

    Raises UserError where this probe has no key: then nothing was ever sent under it.
    """
    file = directory / state.WITHDRAWN
    if file.exists():
        return file.read_text(encoding="ascii").strip()
    key = Key.load(directory / "probe.key", "user")
    line = oneline.seal(WHAT, msgspec.json.encode(Withdrawal(probe=key.id, asked_ms=now())), key)
    state.write(file, line.encode() + b"\n")
    return line


def read(line: str) -> Withdrawal:
    """For the operator's side: what a line asks. Raises UserError unless the key that it names has signed it."""
    try:
        opened = oneline.open(line, WHAT, "user")
        asked = msgspec.json.decode(opened.body, type=Withdrawal, strict=True)
    except (oneline.LineError, msgspec.DecodeError) as e:
        raise UserError(f"withdrawal: {e}") from e
    if asked.probe != opened.signer_id:
        raise UserError(f"withdrawal: signed by {opened.signer_id}, and speaks for {asked.probe}")
    return asked


def id_of(line: str) -> str:
    """How a receipt names a withdrawal: BLAKE2b-128 of the line, hex."""
    return hashlib.blake2b(line.strip().encode(), digest_size=16).hexdigest()


def waiting(directory: Path) -> str:
    """The line that no collector has confirmed; "" where there is none."""
    with contextlib.suppress(OSError, UserError, UnicodeDecodeError):
        line = (directory / state.WITHDRAWN).read_text(encoding="ascii").strip()
        read(line)
        return "" if (directory / state.WITHDRAWAL_RECEIPT).exists() else line
    return ""


def confirmed_ms(directory: Path, operator: str) -> int:
    """When the operator signed that the withdrawal is kept; 0 where that isn't known."""
    with contextlib.suppress(OSError, receipts.ReceiptError):
        return receipts.open((directory / state.WITHDRAWAL_RECEIPT).read_bytes(), operator).issued_ms
    return 0


class Withdrawing:
    """Hands a withdrawal over, once."""

    def __init__(self, config: Config, key: Key, directory: Path) -> None:
        self._config = config
        self._key = key
        self._directory = directory

    def is_due(self) -> bool:
        """Whether there is something to hand over."""
        line = waiting(self._directory)
        return bool(line) and now() - read(line).asked_ms < TRY_MS

    is_urgent = is_due

    async def do(self, connection: Connection) -> int:
        """Hand it over; how many messages that took.

        Raises TimeoutError or ConnectionError where it was not confirmed: then it is to be tried again.
        """
        line = waiting(self._directory)
        if not line:
            return 0
        question = msgspec.json.encode(Question(withdrawal=line))
        answer = await connection.request(f"q.{self._key.id}", question, timeout_s=self._config.ack_timeout_s)
        try:
            receipt = receipts.open(answer.data, self._config.operator)
        except receipts.ReceiptError as e:
            raise ConnectionError(f"the withdrawal was not confirmed: {e}") from e
        kept = any(e.segment == id_of(line) and e.state == "stored" for e in receipt.entries)
        if receipt.probe != self._key.id or not kept:
            raise ConnectionError("the withdrawal was not confirmed: the collector does not keep it")
        state.write(self._directory / state.WITHDRAWAL_RECEIPT, answer.data)
        log.info("the operator has the withdrawal, and has signed for it")
        return 1
