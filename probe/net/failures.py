"""How an operation on the network failed, in OONI's names.

An error is named by its errno, not by its class: Python raises the same class for things that differ on the wire.
"""

from __future__ import annotations

import errno
import ssl

from probe.protocol.privacy import text

CONNECTION_REFUSED = "connection_refused"
CONNECTION_RESET = "connection_reset"
DNS_BOGON = "dns_bogon_error"
DNS_MISBEHAVING = "dns_server_misbehaving"
DNS_NO_ANSWER = "dns_no_answer"
DNS_NXDOMAIN = "dns_nxdomain_error"
DNS_REFUSED = "dns_refused_error"
DNS_SERVFAIL = "dns_servfail_error"
DNS_WRONG_ID = "dns_reply_with_wrong_query_id"
EOF = "eof_error"
HTTP_FAILED = "http_request_failed"
QUIC_VERSION = "quic_incompatible_version"
SSL_FAILED_HANDSHAKE = "ssl_failed_handshake"
SSL_INVALID_CERTIFICATE = "ssl_invalid_certificate"
SSL_INVALID_HOSTNAME = "ssl_invalid_hostname"
SSL_UNKNOWN_AUTHORITY = "ssl_unknown_authority"
TIMEOUT = "generic_timeout_error"
UNKNOWN = "unknown_failure"

_BY_ERRNO = {
    errno.EACCES: "permission_denied",
    errno.EADDRINUSE: "address_in_use",
    errno.EADDRNOTAVAIL: "address_not_available",
    errno.EAFNOSUPPORT: "address_family_not_supported",
    errno.EALREADY: "connection_already_in_progress",
    errno.EBADF: "bad_file_descriptor",
    errno.ECONNABORTED: "connection_aborted",
    errno.ECONNREFUSED: CONNECTION_REFUSED,
    errno.ECONNRESET: CONNECTION_RESET,
    errno.EDESTADDRREQ: "destination_address_required",
    errno.EFAULT: "bad_address",
    errno.EHOSTUNREACH: "host_unreachable",
    errno.EINTR: "interrupted",
    errno.EINVAL: "invalid_argument",
    errno.EISCONN: "already_connected",
    errno.EMSGSIZE: "message_size",
    errno.ENETDOWN: "network_down",
    errno.ENETRESET: "network_reset",
    errno.ENETUNREACH: "network_unreachable",
    errno.ENOBUFS: "no_buffer_space",
    errno.ENOPROTOOPT: "no_protocol_option",
    errno.ENOTCONN: "not_connected",
    errno.ENOTSOCK: "not_a_socket",
    errno.EPERM: "permission_denied",
    # A write after the peer's reset was already reported once.
    errno.EPIPE: CONNECTION_RESET,
    errno.EPROTONOSUPPORT: "protocol_not_supported",
    errno.EPROTOTYPE: "wrong_protocol_type",
    errno.ETIMEDOUT: "timed_out",
    errno.EWOULDBLOCK: "operation_would_block",
}

# These say that this machine has run out of something: our trouble, and no fact about the network.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})

_BY_RCODE = {2: DNS_SERVFAIL, 3: DNS_NXDOMAIN, 5: DNS_REFUSED}


class ProtocolFailure(Exception):  # noqa: N818 - a peer that breaks its protocol is a fact, not an error of ours
    """The peer answered, but not as its protocol demands. `failure` is the failure's name."""

    def __init__(self, failure: str) -> None:
        super().__init__(failure)
        self.failure = failure


NETWORK_ERRORS = (OSError, EOFError, ProtocolFailure)
"""What an operation on the network may raise as a fact; anything else is our own bug."""


def name(error: Exception) -> str:
    """The failure's name for one of NETWORK_ERRORS.

    Raises the error itself when it tells of this machine and not of the network (no more open files, no memory).
    """
    if isinstance(error, ProtocolFailure):
        return error.failure
    if isinstance(error, EOFError):
        return EOF
    if isinstance(error, ssl.SSLError):  # before errno: OpenSSL's numbers in that field are not errnos
        return SSL_FAILED_HANDSHAKE
    number = error.errno if isinstance(error, OSError) else None
    if number in _OURS:
        raise error
    if number in _BY_ERRNO:
        return _BY_ERRNO[number]
    if isinstance(error, TimeoutError):
        return TIMEOUT
    return unknown(f"{type(error).__name__}: {error}")


def of_rcode(rcode: int) -> str | None:
    """The failure's name for a DNS reply's code, or None for NOERROR."""
    return None if rcode == 0 else _BY_RCODE.get(rcode, DNS_MISBEHAVING)


def unknown(what: str) -> str:
    """A failure that has no name of its own, with a scrubbed word about it."""
    return f"{UNKNOWN}: {text(what)}"
