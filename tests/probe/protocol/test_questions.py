"""A question is one of three kinds, and whatever is outside its limits does not decode."""

import msgspec
import pytest

from probe.protocol.questions import MOST_IDS, FatesRequest, Question, WatchRequest, WithdrawalRequest

ID, DIGEST = "a" * 32, "0" * 64


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (FatesRequest(segments=(ID,)), b'{"kind":"fates","segments":["%s"]}' % ID.encode()),
        (
            WatchRequest(watch="test", digest=DIGEST),
            b'{"kind":"watch","watch":"test","digest":"%s"}' % DIGEST.encode(),
        ),
        (WithdrawalRequest(line="one"), b'{"kind":"withdrawal","line":"one"}'),
    ],
)
def test_each_kind_has_its_json(question, text):
    """`kind` tells which it is, in both directions."""
    assert msgspec.json.encode(question) == text
    assert msgspec.json.decode(text, type=Question) == question


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"segments": [ID]},
        {"kind": "other"},
        {"kind": "fates"},
        {"kind": "fates", "segments": []},
        {"kind": "fates", "segments": [ID] * (MOST_IDS + 1)},
        {"kind": "fates", "segments": ["no id"]},
        {"kind": "fates", "segments": [ID.upper()]},
        {"kind": "fates", "segments": [ID + "\n"]},
        {"kind": "fates", "segments": [ID], "withdrawal": "one"},
        {"kind": "watch", "watch": "test"},
        {"kind": "watch", "watch": "x" * 129, "digest": DIGEST},
        {"kind": "watch", "watch": "test", "digest": ""},
        {"kind": "withdrawal", "line": ""},
        {"kind": "withdrawal", "line": "x" * 8193},
    ],
)
def test_what_is_outside_the_limits_is_no_question(question):
    """Missing, unknown, too many, too long or of another form."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(question), type=Question)


def test_the_most_ids_fit():
    """The limit itself is allowed."""
    assert msgspec.json.decode(msgspec.json.encode(FatesRequest(segments=(ID,) * MOST_IDS)), type=Question)
