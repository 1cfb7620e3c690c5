"""Seals and opens segments: batches of measurements from one probe, signed once and then carried unchanged.

The body of the signed envelope is zlib over the JSON of `measurement.Segment`. Opening one checks, in this order: size,
signature, bounded decompression, shape and limits, versions, and that the body names its signer.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from probe.protocol import envelope
from probe.protocol.measurement import FORMAT, Measurement, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.protocol.keys import Key

MAX_MEASUREMENTS = 64
MAX_BYTES = 64 * 1024 - 1024
"""Size of the whole envelope; the rest of the stream's limit of 64 KB is for the message's headers."""
MAX_JSON_BYTES = 4 * 1024 * 1024
"""Size of the body, decompressed."""

Reason = Literal["size", "envelope", "signature", "compression", "version", "shape", "signer"]
"""Why bytes are not a segment: larger than MAX_BYTES; not an envelope; a wrong signature; not zlib, or more than
MAX_JSON_BYTES inside; an unknown format version; not the JSON of a Segment within its limits; a body that names
another probe than the one that signed."""


class SegmentError(ValueError):
    """Bytes that are not a segment. `reason` is one of a fixed list; `detail` says what exactly is wrong."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """A segment ready to be sent: its id, the envelope's bytes, and the number of measurements in it."""

    id: str
    raw: bytes
    count: int


class OpenedSegment(NamedTuple):
    """A segment that has been checked, with its id."""

    id: str
    segment: Segment


class _Version(msgspec.Struct):
    format: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Segment, strict=True)
_measurement_decoder = msgspec.json.Decoder(Measurement, strict=True)


def seal(measurements: Sequence[Measurement], key: Key, sequence: int, sealed_ms: int) -> SealedSegment:
    """Seal measurements as this probe's segment number `sequence`. Raises SegmentError (`size`) if it is too large."""
    body = Segment(
        probe=key.id,
        sequence=sequence,
        nonce=secrets.token_hex(16),
        sealed_ms=sealed_ms,
        measurements=tuple(measurements),
    )
    text = _encoder.encode(body)
    raw = envelope.seal("S", zlib.compress(text), key)
    if len(raw) > MAX_BYTES or len(text) > MAX_JSON_BYTES or len(measurements) > MAX_MEASUREMENTS:
        raise SegmentError("size", f"{len(measurements)} measurements in {len(raw)} bytes, {len(text)} unpacked")
    return SealedSegment(segment_id(raw), raw, len(measurements))


def fit(measurement: Measurement) -> Measurement:
    """The measurement itself, or, if it exceeds the format's limits, one without steps that says so.

    A hostile network controls some of what is recorded, and must not be able to get a whole segment rejected.
    """
    try:
        _measurement_decoder.decode(_encoder.encode(measurement))
    except (msgspec.MsgspecError, UnicodeError) as e:
        return without_steps(measurement, f"outside the format: {e}")
    return measurement


def without_steps(measurement: Measurement, why: str) -> Measurement:
    """The measurement marked as a failure of ours: it is never evidence, and doesn't disappear silently."""
    return msgspec.structs.replace(measurement, steps=(), internal=why[:500])


def segment_id(raw: bytes) -> str:
    """The id of a segment: BLAKE2b-128 in hex over an envelope's bytes without the signature.

    Check the signature before using it: anybody can put a wrong signature on the same bytes, which have the same id.
    """
    return hashlib.blake2b(raw[:36] + raw[envelope.HEADER :], digest_size=16).hexdigest()


def measurement_id(segment: str, index: int) -> str:
    """A measurement's id: BLAKE2b-128 in hex over the segment's 16 id bytes and the index (4 bytes, big-endian)."""
    return hashlib.blake2b(bytes.fromhex(segment) + index.to_bytes(4, "big"), digest_size=16).hexdigest()


def open(raw: bytes) -> OpenedSegment:  # noqa: A001 - read as `segment.open`
    """Check an envelope and return its segment. Raises SegmentError."""
    if len(raw) > MAX_BYTES:
        raise SegmentError("size", f"{len(raw)} bytes, at most {MAX_BYTES} are allowed")
    try:
        opened = envelope.open(raw, "S")
    except envelope.EnvelopeError as e:
        raise SegmentError(e.reason, str(e)) from e
    segment = _parse(_decompress(opened.body))
    if segment.probe != opened.signer_id:
        raise SegmentError("signer", f"the body names {segment.probe}, {opened.signer_id} signed")
    return OpenedSegment(segment_id(raw), segment)


def _decompress(body: bytes) -> bytes:
    unzip = zlib.decompressobj()
    try:
        text = unzip.decompress(body, MAX_JSON_BYTES)
    except zlib.error as e:
        raise SegmentError("compression", str(e)) from e
    if not unzip.eof:
        raise SegmentError("compression", f"cut short, or more than {MAX_JSON_BYTES} bytes inside")
    if unzip.unused_data:
        raise SegmentError("compression", f"{len(unzip.unused_data)} bytes after the end")
    return text


def _parse(text: bytes) -> Segment:
    try:
        segment = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        _refuse_unknown_version(text)
        raise SegmentError("shape", str(e)) from e
    for version in (segment.format, *(m.format for m in segment.measurements)):
        if version != FORMAT:
            raise SegmentError("version", f"format {version}, this program reads {FORMAT}")
    return segment


def _refuse_unknown_version(text: bytes) -> None:
    """Raise SegmentError `version` for JSON of another format version, whose shape may differ from ours."""
    try:
        version = msgspec.json.decode(text, type=_Version).format
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if version != FORMAT:
        raise SegmentError("version", f"format {version}, this program reads {FORMAT}")
