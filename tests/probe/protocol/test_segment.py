"""A segment opens only if it is complete, signed, within its limits, and names its signer."""

import json
import zlib

import msgspec
import pytest

from probe.base.clock import now_ms
from probe.protocol import envelope, segment
from probe.protocol.keys import Key
from probe.protocol.measurement import Segment
from probe.protocol.segment import SegmentError
from tests.support.factory import app_measurement, app_run

KEY = Key.create("user")


def body(**changes):
    """A segment's body as a table that a test can change."""
    table = {
        "format": 1, "probe": KEY.id, "sequence": 1, "nonce": "0" * 32, "sealed_ms": now_ms(),
        "measurements": [msgspec.to_builtins(app_measurement())],
    }  # fmt: skip
    return table | changes


def packed(table, key=KEY):
    """A table (or raw bytes) in an envelope with a right signature."""
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return envelope.seal("S", zlib.compress(text), key)


def with_measurement(**changes):
    """A body whose one measurement has these fields."""
    return body(measurements=[msgspec.to_builtins(app_measurement()) | changes])


def with_step(**changes):
    """A body whose one measurement has one step with these fields."""
    step = {"op": "connect", "target": "dc1", "start_ms": 0.0, "end_ms": 1.0}
    return with_measurement(steps=[step | changes])


def reason(raw):
    """The reason why these bytes don't open."""
    with pytest.raises(SegmentError) as e:
        segment.open(raw)
    return e.value.reason


def test_what_is_sealed_opens_as_it_was():
    """Measurements, probe, sequence and id are unchanged."""
    measurements = app_run(5)
    sealed = segment.seal(measurements, KEY, 7, now_ms())
    opened = segment.open(sealed.raw)
    assert opened.id == sealed.id
    assert opened.segment.measurements == measurements
    assert (opened.segment.probe, opened.segment.sequence, sealed.count) == (KEY.id, 7, 5)


def test_the_same_measurements_sealed_twice_have_two_ids():
    """The nonce makes an id unguessable before it is published."""
    run, now = app_run(1), now_ms()
    assert segment.seal(run, KEY, 1, now).id != segment.seal(run, KEY, 1, now).id


def test_no_byte_can_be_changed():
    """Every change is noticed, before anything is parsed."""
    raw = segment.seal(app_run(1), KEY, 1, now_ms()).raw
    for position in range(0, len(raw), 7):
        changed = bytearray(raw)
        changed[position] ^= 1
        assert reason(bytes(changed)) in ("envelope", "signature")
    assert reason(raw[:-1]) == "signature"
    assert reason(raw + b"\0") == "signature"


@pytest.mark.parametrize("kind", ["R", "W"])
def test_an_envelope_of_another_kind_is_no_segment(kind):
    """The kind is part of what is signed."""
    raw = envelope.seal(kind, b"", KEY)
    assert reason(raw) == "envelope"
    assert reason(raw[:3] + b"S" + raw[4:]) == "signature"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "envelope"),
        (b"BO1S" + bytes(50), "envelope"),
        (bytes(segment.MAX_BYTES + 1), "size"),
        (envelope.seal("S", b"not zlib", KEY), "compression"),
        (envelope.seal("S", zlib.compress(b"{}")[:-4], KEY), "compression"),
        (envelope.seal("S", zlib.compress(b"{}") + b"more", KEY), "compression"),
        (envelope.seal("S", zlib.compress(b" " * (segment.MAX_JSON_BYTES + 1)), KEY), "compression"),
        (packed(b"{"), "shape"),
        (packed(b'{"format": 1, "probe": "\xff"}'), "shape"),
        (packed(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "shape"),
        (packed(body(format=2, measurements="another shape")), "version"),
        (packed(with_measurement(format=2)), "version"),
        (packed(body(probe=Key.create("user").id)), "signer"),
        (packed(body(), Key.create("user")), "signer"),
    ],
)
def test_bytes_that_are_no_segment_are_refused_with_a_reason(raw, expected):
    """Each kind of fault has its own reason."""
    assert reason(raw) == expected


@pytest.mark.parametrize(
    "table",
    [
        body(measurements=[]),
        body(measurements=[msgspec.to_builtins(app_measurement())] * 65),
        body(nonce="0" * 32 + "\n"),
        body(sequence=0),
        body(sequence=10**30),
        body(extra="an address"),
        with_measurement(run_id="short"),
        with_measurement(run_id="G" * 32),
        with_measurement(at_ms=0),
        with_measurement(at_ms=9_999_999_999_999),
        with_measurement(at_ms=1.7e12),
        with_measurement(at_ms="now"),
        with_measurement(duration_ms=-1),
        with_measurement(target="x" * 129),
        with_measurement(steps=[{"op": "connect", "target": "t", "start_ms": 0, "end_ms": 0}] * 513),
        with_measurement(vantage={"asn": 2**32}),
        with_measurement(hostname="kitchen-pc"),
        with_step(op="guess"),
        with_step(end_ms=1e99),
        with_step(failure="x" * 513),
        with_step(sent=-1),
        with_step(status=70_000),
        with_step(certificate="ab"),
        with_step(ssid="home"),
    ],
)
def test_values_outside_the_limits_are_refused(table):
    """Values that the store can't hold, and unknown fields, do not open."""
    assert reason(packed(table)) == "shape"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_nan_and_infinity_are_refused(number):
    """As a duration, for example."""
    text = json.dumps(with_measurement(duration_ms="HERE")).replace('"HERE"', number)
    assert reason(packed(text.encode())) == "shape"


def test_the_limit_itself_opens():
    """64 measurements are a segment."""
    sealed = segment.seal(app_run(64), KEY, 1, now_ms())
    assert len(segment.open(sealed.raw).segment.measurements) == 64
    with pytest.raises(SegmentError, match="size"):
        segment.seal(app_run(65), KEY, 1, now_ms())


def test_a_segment_that_unpacks_to_too_much_is_not_sealed():
    """The sender refuses it, since it would not open."""
    steps = (msgspec.structs.replace(app_measurement().steps[0], via="x" * 500),) * 512
    with pytest.raises(SegmentError, match="size"):
        segment.seal([app_measurement(steps=steps)] * 20, KEY, 1, now_ms())


def test_a_hostile_network_can_spoil_only_one_measurement():
    """Text beyond the format's limits is recorded as a failure of ours, and the rest still opens."""
    step = msgspec.structs.replace(app_measurement().steps[0], names=("x" * 600,), status=99_999)
    spoiled = segment.fit(app_measurement(steps=(step,)))
    fine = app_measurement()
    assert segment.fit(fine) is fine
    assert spoiled.internal.startswith("outside the format")
    opened = segment.open(segment.seal([spoiled, fine], KEY, 1, now_ms()).raw)
    assert opened.segment.measurements == (spoiled, fine)


def test_measurement_ids_differ_by_segment_and_place():
    """No two rows have the same id."""
    ids = {segment.measurement_id(s * 32, i) for s in "ab" for i in range(64)}
    assert len(ids) == 128
    assert all(len(i) == 32 for i in ids)


def test_the_id_does_not_depend_on_the_signature():
    """It covers the signed bytes only, so that a second signature doesn't make a second segment."""
    sealed = segment.seal(app_run(1), KEY, 1, now_ms())
    assert segment.segment_id(sealed.raw[:36] + bytes(64) + sealed.raw[100:]) == sealed.id
    assert isinstance(segment.open(sealed.raw).segment, Segment)
