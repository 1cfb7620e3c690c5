"""A withdrawal: one line, signed with the probe's key, that asks the operator to publish none of its rows from now on.

It is sent to the collector on `q.<probe>` and kept there. The operator confirms that by a signed receipt, which is kept
here.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from probe.base import private_file
from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.home import files
from probe.nats.link import connect
from probe.protocol import receipt, signed_text
from probe.protocol.keys import Key
from probe.protocol.questions import WithdrawalRequest
from probe.protocol.receipt import KeptWithdrawal
from probe.protocol.withdrawal import LABEL, Withdrawal, id_of, read

if TYPE_CHECKING:
    from pathlib import Path

    from probe.home.config import Config
    from probe.nats.link import NatsLink

log = structlog.get_logger()
TRY_MS = 7 * 86_400_000
"""How long a running probe goes on trying: someone who leaves must not be made to connect for ever."""


def sign(directory: Path) -> str:
    """Stop measuring and sending for good, and sign the withdrawal. Returns its line, the same one each time.

    Raises UserError if this probe has no key: then it never sent anything.
    """
    file = directory / files.WITHDRAWN
    if file.exists():
        return file.read_text(encoding="ascii").strip()
    key = Key.load(directory / files.KEY, "user")
    line = signed_text.seal(LABEL, msgspec.json.encode(Withdrawal(probe=key.id, asked_ms=now_ms())), key)
    private_file.write(file, line.encode() + b"\n")
    return line


def waiting(directory: Path) -> str:
    """The line of a withdrawal that is not confirmed yet; "" if there is none."""
    with contextlib.suppress(OSError, UserError, UnicodeDecodeError):
        line = (directory / files.WITHDRAWN).read_text(encoding="ascii").strip()
        read(line)
        return "" if (directory / files.WITHDRAWAL_RECEIPT).exists() else line
    return ""


def confirmed_ms(directory: Path, operator: str) -> int:
    """When the operator confirmed the withdrawal, in ms since the epoch; 0 if not."""
    with contextlib.suppress(OSError, receipt.ReceiptError):
        return receipt.open((directory / files.WITHDRAWAL_RECEIPT).read_bytes(), operator).issued_ms
    return 0


class WithdrawalDelivery:
    """Hands a withdrawal over on a visit, until it is confirmed."""

    def __init__(self, config: Config, key: Key, directory: Path) -> None:
        self._config = config
        self._key = key
        self._directory = directory

    def is_due(self) -> bool:
        """Whether there is a withdrawal to hand over."""
        line = waiting(self._directory)
        return bool(line) and now_ms() - read(line).asked_ms < TRY_MS

    is_urgent = is_due

    async def do(self, connection: NatsLink) -> int:
        """Hand it over. Returns the number of messages.

        Raises TimeoutError or ConnectionError if it was not confirmed: then it is tried again.
        """
        line = waiting(self._directory)
        if not line:
            return 0
        question = msgspec.json.encode(WithdrawalRequest(line=line))
        answer = await connection.request(f"q.{self._key.id}", question, timeout_s=self._config.ack_timeout_s)
        try:
            opened = receipt.open(answer.data, self._config.operator)
        except receipt.ReceiptError as e:
            raise ConnectionError(f"the withdrawal was not confirmed: {e}") from e
        kept = any(isinstance(e, KeptWithdrawal) and e.subject == id_of(line) for e in opened.entries)
        if opened.probe != self._key.id or not kept:
            raise ConnectionError("the withdrawal was not confirmed: the collector has not stored it")
        private_file.write(self._directory / files.WITHDRAWAL_RECEIPT, answer.data)
        log.info("the operator has confirmed the withdrawal")
        return 1


_REACH_S = 7.0
"""The longest time for connecting to one collector."""


def hand_over(config: Config, directory: Path) -> str:
    """Hand the withdrawal over now. Returns "" if it is confirmed, otherwise the reason why not. Raises UserError."""
    return asyncio.run(_hand_over(config, directory)) if waiting(directory) else ""


async def _hand_over(config: Config, directory: Path) -> str:
    key = Key.load(directory / files.KEY, "user")
    delivery = WithdrawalDelivery(config, key, directory)
    connection = await connect(config.nats, key, "probe", inbox_prefix=f"_INBOX_{key.id}", ca_file=config.ca_file)
    try:
        async with asyncio.timeout(_REACH_S * len(config.nats)):
            await connection.ready()
        await delivery.do(connection)
    except (TimeoutError, ConnectionError) as e:
        return str(e) or connection.last_error
    finally:
        await connection.close()
    return ""
