"""A probe believes the operator's signature and nothing else."""

import pytest

from probe.base.clock import now_ms
from probe.protocol import envelope, receipt
from probe.protocol.keys import Key
from probe.protocol.receipt import Receipt, ReceiptError, SegmentFate

OPERATOR, PROBE = Key.create("operator"), Key.create("user")


def stored_and_rejected():
    """A receipt about one segment."""
    entry = SegmentFate(subject="a" * 32, state="rejected", reason="shape")
    return Receipt(probe=PROBE.id, issued_ms=now_ms(), entries=(entry,))


def test_a_receipt_opens_as_it_was_signed():
    """States and reasons survive the way."""
    wanted = stored_and_rejected()
    assert receipt.open(receipt.sign(wanted, OPERATOR), OPERATOR.id) == wanted


def test_another_operators_receipt_is_refused():
    """A valid signature of the wrong key frees nothing."""
    with pytest.raises(ReceiptError, match="not by the operator"):
        receipt.open(receipt.sign(stored_and_rejected(), Key.create("operator")), OPERATOR.id)


def test_a_changed_receipt_is_refused():
    """Nobody on the way can turn one word into another."""
    raw = receipt.sign(stored_and_rejected(), OPERATOR)
    with pytest.raises(ReceiptError, match="signature"):
        receipt.open(raw.replace(b'"rejected"', b'"stored"'), OPERATOR.id)


@pytest.mark.parametrize("body", [b"{}", b"[", b"[" * 100_000, b"\xff"])
def test_a_signed_body_of_another_shape_is_refused(body):
    """Even the operator's own mistake is an error with a name."""
    with pytest.raises(ReceiptError):
        receipt.open(envelope.seal("R", body, OPERATOR), OPERATOR.id)
