"""OONI's names for the ways in which a network operation fails.

An error is named by its errno, not by its class: Python raises one class for failures that differ on the network.
"""

from __future__ import annotations

import errno
import ssl

from probe.protocol.privacy import scrub_text

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
    # The peer reset the connection, which an earlier call has already reported.
    errno.EPIPE: CONNECTION_RESET,
    errno.EPROTONOSUPPORT: "protocol_not_supported",
    errno.EPROTOTYPE: "wrong_protocol_type",
    errno.ETIMEDOUT: "timed_out",
    errno.EWOULDBLOCK: "operation_would_block",
}

# This machine has run out of files or memory: no fact about the network.
_LOCAL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})

_BY_RCODE = {2: DNS_SERVFAIL, 3: DNS_NXDOMAIN, 5: DNS_REFUSED}


class ProtocolFailure(Exception):  # noqa: N818 - what a peer does is a fact, not an error of ours
    """The peer answered, but not as its protocol requires. `failure` is the failure's name."""

    def __init__(self, failure: str) -> None:
        super().__init__(failure)
        self.failure = failure


NETWORK_ERRORS = (OSError, EOFError, ProtocolFailure)
"""What a network operation raises for facts about the network; any other exception is a bug of ours."""


def name(error: Exception) -> str:
    """The failure's name for one of NETWORK_ERRORS.

    Raises the error itself when it is about this machine and not the network (too many open files, no memory).
    """
    if isinstance(error, ProtocolFailure):
        return error.failure
    if isinstance(error, EOFError):
        return EOF
    if isinstance(error, ssl.SSLError):  # before errno, where OpenSSL puts numbers of its own
        return SSL_FAILED_HANDSHAKE
    number = error.errno if isinstance(error, OSError) else None
    if number in _LOCAL:
        raise error
    if number in _BY_ERRNO:
        return _BY_ERRNO[number]
    if isinstance(error, TimeoutError):
        return TIMEOUT
    return unknown(f"{type(error).__name__}: {error}")


def of_rcode(rcode: int) -> str | None:
    """The failure's name for a DNS reply's code, or None for NOERROR."""
    return None if rcode == 0 else _BY_RCODE.get(rcode, DNS_MISBEHAVING)


def unknown(detail: str) -> str:
    """The name of a failure that OONI has none for, with a short detail from which identifying text is removed."""
    return f"{UNKNOWN}: {scrub_text(detail)}"
