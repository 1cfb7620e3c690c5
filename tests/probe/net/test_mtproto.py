"""The bytes of MTProto's first exchange."""

from __future__ import annotations

import struct

import pytest

from probe.net import mtproto
from probe.net.failures import ProtocolFailure
from tests.support.servers import intermediate, res_pq

NONCE = bytes(range(16))


def test_the_question_is_req_pq_multi_unencrypted():
    """auth_key_id 0, a client's message id near now, 20 bytes of body."""
    message = mtproto.req_pq_multi(NONCE)
    auth_key, message_id, length, constructor = struct.unpack_from("<qqiI", message)
    assert (auth_key, length, constructor, message[24:]) == (0, 20, 0xBE7E8EF1, NONCE)
    assert message_id % 4 == 0
    assert 1.6e9 < message_id >> 32 < 4.1e9


def test_the_intermediate_transport_opens_with_its_tag():
    """Four bytes of it, then the length."""
    assert mtproto.Intermediate().first(b"abcd") == b"\xee\xee\xee\xee\x04\0\0\0abcd"


def test_a_reply_is_read_when_it_is_all_there():
    """And no sooner."""
    carrier, raw = mtproto.Intermediate(), intermediate(res_pq(NONCE))
    assert [carrier.reply(raw[:n]) for n in (0, 3, 4, len(raw) - 1)] == [None] * 4
    assert carrier.reply(raw) == res_pq(NONCE)


def test_the_answer_that_echoes_the_nonce_is_right():
    """Nothing is raised."""
    mtproto.check_res_pq(res_pq(NONCE), NONCE)


@pytest.mark.parametrize(
    ("message", "failure"),
    [
        (b"", "eof_error"),
        (struct.pack("<i", -429), "unknown_failure: MTProto transport error -429"),
        (b"\0" * 30, "unknown_failure: MTProto message too short"),
        (res_pq(NONCE, constructor=0xDEADBEEF), "unknown_failure: MTProto constructor 0xdeadbeef"),
        (res_pq(bytes(16)), "unknown_failure: resPQ with another nonce"),
    ],
)
def test_any_other_answer_is_named(message, failure):
    """A middlebox, an error of the transport, somebody else's reply."""
    with pytest.raises(ProtocolFailure) as error:
        mtproto.check_res_pq(message, NONCE)
    assert error.value.failure == failure
