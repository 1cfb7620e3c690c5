"""The bytes of the first MTProto exchange."""

from __future__ import annotations

import struct

import pytest

from probe.net import mtproto
from probe.net.failures import ProtocolFailure
from tests.support.servers import intermediate, res_pq

NONCE = bytes(range(16))


def test_req_pq_multi_is_an_unencrypted_message():
    """auth_key_id 0, a client's message id near the present time, a body of 20 bytes."""
    message = mtproto.req_pq_multi(NONCE)
    auth_key, message_id, length, constructor = struct.unpack_from("<qqiI", message)
    assert (auth_key, length, constructor, message[24:]) == (0, 20, 0xBE7E8EF1, NONCE)
    assert message_id % 4 == 0
    assert 1.6e9 < message_id >> 32 < 4.1e9


def test_the_intermediate_transport_opens_with_its_tag():
    """Four bytes, then the message's length."""
    assert mtproto.Intermediate().first(b"abcd") == b"\xee\xee\xee\xee\x04\0\0\0abcd"


def test_a_reply_is_read_once_it_is_complete():
    """And not before."""
    carrier, raw = mtproto.Intermediate(), intermediate(res_pq(NONCE))
    assert [carrier.reply(raw[:n]) for n in (0, 3, 4, len(raw) - 1)] == [None] * 4
    assert carrier.reply(raw) == res_pq(NONCE)


def test_an_answer_with_the_same_nonce_is_accepted():
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
def test_any_other_answer_is_a_failure(message, failure):
    """From a middlebox, as a transport error, or with another nonce."""
    with pytest.raises(ProtocolFailure) as error:
        mtproto.check_res_pq(message, NONCE)
    assert error.value.failure == failure
