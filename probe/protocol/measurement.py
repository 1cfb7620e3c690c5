"""The wire format: what a probe records and sends, and what the aggregator reads.

A measurement holds facts. No field can say "blocked": conclusions are drawn later, from the facts, and can be
drawn again under other rules.

Nothing here can identify a volunteer. The addresses in it are those of the service, of controls and of a resolver's
answers; there is no field for the line's own addresses, its resolver's address, host names or network names.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

FORMAT = 1
"""Version of this format. A reader refuses versions that it does not know."""

# Limits are part of the format: a segment that exceeds them is refused when it is opened, and never stored.
Word = Annotated[str, Meta(max_length=128)]
Text = Annotated[str, Meta(max_length=512)]
Hex128 = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", max_length=32)]
Hex256 = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$", max_length=64)]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", max_length=64)]
ProbeId = Annotated[str, Meta(pattern=r"^U[A-Z2-7]{55}$", max_length=56)]
Count = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Code = Annotated[int, Meta(ge=0, le=2**15 - 1)]
Duration = Annotated[float, Meta(ge=0, le=86_400_000)]
"""Milliseconds, at most a day."""
EARLIEST_MS = 1_577_836_800_000
"""The year 2020. A machine without a battery-backed clock starts in 1970 and must get the time before it measures."""
Instant = Annotated[int, Meta(ge=EARLIEST_MS, le=4_102_444_800_000)]
"""Milliseconds since the epoch, from 2020 to 2100."""
Addresses = Annotated[tuple[Word, ...], Meta(max_length=64)]

Part = Literal["target", "contrast", "control"]
"""What a step tests: the service, a harmless name at the service's own address, or a site that nobody blocks."""

Op = Literal["resolve", "connect", "hold", "handshake", "request", "exchange", "transfer", "quic"]
"""One network operation: DNS query, TCP connect, holding an open connection without sending (is it reset before a
byte is sent?), TLS handshake, HTTP request, MTProto exchange, a bounded and timed download, a QUIC handshake that
offers HTTP/3 (over UDP, without a connect before it)."""

MARKS = 8
"""The number of equal parts that the time of a transfer is divided into."""

PathKind = Literal["direct", "vpn", "proxy", "split", "changed", "unknown"]
"""How a run's traffic left its machine: directly over the line, through a tunnel or a proxy, over two networks
(`split`), or differently at its end than at its beginning (`changed`). `unknown` where the system does not tell."""

ResolverKind = Literal["provider", "other", "router", "filter", "unknown"]
"""Whose resolver the line uses: one in its provider's network, one in another network, the home's router (whose own
resolver is not known), one that is known to filter for its users, or not known."""


class DnsReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One DNS reply. Two replies to one query, with different answers, mean that somebody injected one."""

    ms: Duration
    """Milliseconds after the query was sent."""
    rcode: Code
    answers: Addresses = ()
    """A and AAAA addresses, sorted."""
    ttl: Count = 0
    """Least TTL of the answers, in seconds."""


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One network operation: when it began and ended, against what, and how it failed.

    `failure` is None or one of OONI's failure names (see `probe.net.failures`). The fields after it are filled by the
    operations they belong to and stay empty elsewhere.
    """

    part: Part = "target"
    op: Op
    target: Word
    """What is tested, as the watch names it: a host name or an endpoint's id."""
    address: Word = ""
    """Remote `ip:port` (`[ip]:port` for IPv6) as the watch or the resolver gave it; empty for `resolve`."""
    via: Text = ""
    """resolve: `system`, `second`, or `system6` and `second6` (IPv6 addresses); handshake and quic: the server name
    sent; request and transfer: the method and path; exchange: the MTProto transport."""
    start_ms: Duration
    """Milliseconds since the measurement's `at`, on a monotonic clock."""
    end_ms: Duration
    failure: Text | None = None
    sent: Count = 0
    received: Count = 0
    """Payload bytes handed to and taken from the socket."""

    # resolve
    rcode: Code | None = None
    answers: Addresses = ()
    """The addresses of the first reply, sorted."""
    replies: Annotated[tuple[DnsReply, ...], Meta(max_length=64)] = ()
    """Every reply that arrived while the socket was open, in order of arrival."""

    # handshake and quic: the handshake verifies nothing; the captured certificate is verified afterwards
    certificate: Hex256 = ""
    """SHA-256 of the leaf certificate, hex."""
    certificate_failure: Word | None = None
    """`ssl_unknown_authority`, `ssl_invalid_hostname`, `ssl_invalid_certificate`, or None when it verified."""
    names: Annotated[tuple[Text, ...], Meta(max_length=8)] = ()
    """The leaf's subject alternative names, at most eight."""

    # request: never the body itself
    status: Code | None = None
    location: Text = ""
    """The Location header's scheme and host."""
    length: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    body_hash: Word = ""
    title_hash: Word = ""
    fingerprint: Word = ""
    """The id of the block-page fingerprint that matched."""

    # transfer
    curve: Annotated[tuple[Count, ...], Meta(max_length=MARKS)] = ()
    """Payload bytes that had come over the wire by the end of each eighth of the time since the request."""


class Vantage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The network a probe was in, and how each part of that is known.

    `*_how` is one of `configured`, `declared` (the volunteer said so), `whoami` (the operator's endpoint answered),
    `table` (an offline prefix table), `guessed` (it looks like a phone's hotspot or a modem) or `unknown`.
    """

    role: Literal["probe", "reference"] = "probe"
    """A reference is the same program in an uncensored network: it shows whether the service itself is up."""
    asn: Count = 0
    asn_how: Word = "unknown"
    country: Word = ""
    access: Literal["fixed", "mobile", "unknown"] = "unknown"
    access_how: Word = "unknown"
    line: Word = ""
    """An opaque token for the subscriber's line; empty is unknown, and a provider's unknown lines count as one."""
    line_how: Word = "unknown"
    line_kind: Literal["home", "hotspot", "work", "campus", "server", "unknown"] = "unknown"
    line_kind_how: Word = "unknown"
    path: PathKind = "unknown"
    """Only rows with `direct` or `unknown` count for a provider."""
    resolver: ResolverKind = "unknown"
    changed: bool = False
    """The network changed during the run: the row counts for no provider."""


class Measurement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One run of one check: its steps, the control's steps beside them, and the vantage."""

    format: int = FORMAT
    watch: Word
    watch_digest: Digest
    """The text of the watch that the probe ran: `Watch.digest`."""
    run_id: Hex128
    """128 random bits, hex. The checks of one round share it; one run yields one verdict per surface."""
    surface: Word
    check: Word
    target: Word
    at_ms: Instant
    """When it began, by the probe's clock: milliseconds since the epoch."""
    duration_ms: Duration
    steps: Annotated[tuple[Step, ...], Meta(max_length=512)]
    vantage: Vantage
    loop_lag_ms: Duration = 0.0
    """The longest delay of the probe's event loop during the run: a stalled loop looks like blocking."""
    timeout_ms: Count = 0
    """The timeout of the run's steps, with which the lag is compared."""
    sweep: bool = False
    """Whether everything that the watch lists was tested; otherwise each datacentre was tried in one way only."""
    internal: Text = ""
    """A bug of ours that spoiled the row, by exception class and place in the code. Such a row is never evidence."""
    software: Word = ""


class Segment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The unit of transport: a sealed batch of measurements from one probe, at most 64 of them and 64 KB."""

    format: int = FORMAT
    probe: ProbeId
    """The probe's id, which is its public key in NATS' user-key text form (`U…`, 56 characters)."""
    sequence: Annotated[int, Meta(ge=1, le=2**53)]
    """This probe's count of sealed segments, from 1, so that a missing one is noticed."""
    nonce: Hex128
    """128 random bits, hex: makes the segment's id unguessable before it is published."""
    sealed_ms: Instant
    measurements: Annotated[tuple[Measurement, ...], Meta(min_length=1, max_length=64)]
