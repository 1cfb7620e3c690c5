"""A withdrawal counts as delivered only when the operator's receipt has a withdrawal entry for it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from probe.base.clock import now_ms
from probe.custody import withdrawal_delivery
from probe.custody.withdrawal_delivery import WithdrawalDelivery
from probe.home.config import Config
from probe.protocol import receipt
from probe.protocol.keys import Key
from probe.protocol.receipt import KeptWithdrawal, Receipt, SegmentFate
from probe.protocol.withdrawal import id_of

OPERATOR = Key.create("operator")


class StubCollector:
    """Replies to every request with one receipt."""

    def __init__(self, probe, *entries):
        self.data = receipt.sign(Receipt(probe=probe, issued_ms=now_ms(), entries=entries), OPERATOR)

    async def request(self, subject, payload, *, timeout_s):
        """The reply."""
        return SimpleNamespace(data=self.data)


@pytest.fixture
def delivery(tmp_path):
    """A withdrawal that is signed and not yet handed over."""
    key = Key.load_or_create(tmp_path / "probe.key", "user")
    withdrawal_delivery.sign(tmp_path)
    config = Config(data=str(tmp_path), watch="unused", nats=("nats://unused",), operator=OPERATOR.id)
    return WithdrawalDelivery(config, key, tmp_path)


async def test_a_withdrawal_entry_confirms_it(tmp_path, delivery):
    """The receipt is kept, and nothing is left to hand over."""
    line = withdrawal_delivery.waiting(tmp_path)
    assert await delivery.do(StubCollector(delivery._key.id, KeptWithdrawal(subject=id_of(line)))) == 1
    assert withdrawal_delivery.waiting(tmp_path) == ""
    assert withdrawal_delivery.confirmed_ms(tmp_path, OPERATOR.id) > 0


@pytest.mark.parametrize("entries", ["a segment's", "another line's", "none"])
async def test_no_other_entry_confirms_it(tmp_path, delivery, entries):
    """Neither a stored segment with the id of the line, nor another line: it is handed over again later."""
    line = withdrawal_delivery.waiting(tmp_path)
    others = {
        "a segment's": (SegmentFate(subject=id_of(line), state="stored"),),
        "another line's": (KeptWithdrawal(subject="0" * 32),),
        "none": (),
    }
    with pytest.raises(ConnectionError, match="not confirmed"):
        await delivery.do(StubCollector(delivery._key.id, *others[entries]))
    assert withdrawal_delivery.waiting(tmp_path) == line
    assert withdrawal_delivery.confirmed_ms(tmp_path, OPERATOR.id) == 0
