"""Errors and their OONI names."""

from __future__ import annotations

import errno
import ssl

import pytest

from probe.net import failures
from probe.net.failures import ProtocolFailure


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ConnectionResetError(errno.ECONNRESET, "x"), "connection_reset"),
        (BrokenPipeError(errno.EPIPE, "x"), "connection_reset"),
        (OSError(errno.EHOSTUNREACH, "x"), "host_unreachable"),
        (OSError(errno.ENETUNREACH, "x"), "network_unreachable"),
        (TimeoutError(), "generic_timeout_error"),
        (OSError(errno.ETIMEDOUT, "x"), "timed_out"),
        (EOFError(), "eof_error"),
        (ssl.SSLError(1, "x"), "ssl_failed_handshake"),
        (ProtocolFailure("dns_nxdomain_error"), "dns_nxdomain_error"),
        (ConnectionResetError("no errno"), "unknown_failure: ConnectionResetError: no errno"),
        (OSError(9999, "at 203.0.113.9"), "unknown_failure: OSError: [Errno 9999] at [scrubbed]"),
    ],
)
def test_errors_are_named_by_errno(error, name):
    """The exception's class alone doesn't tell."""
    assert failures.name(error) == name


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_shortage_on_this_machine_is_no_fact_about_the_network(number):
    """Without files or memory left, the error is raised again."""
    with pytest.raises(OSError, match="x"):
        failures.name(OSError(number, "x"))


def test_every_name_is_one_of_oonis():
    """Those of probe-cli."""
    known = set(_OONI.split())
    used = {v for k, v in vars(failures).items() if k.isupper() and isinstance(v, str)} - {failures.UNKNOWN}
    assert used | set(failures._BY_ERRNO.values()) | set(failures._BY_RCODE.values()) <= known


_OONI = """
address_family_not_supported address_in_use address_not_available already_connected bad_address bad_file_descriptor
connection_aborted connection_already_closed connection_already_in_progress connection_refused connection_reset
dns_bogon_error dns_nxdomain_error dns_no_answer dns_non_recoverable_failure dns_refused_error
dns_reply_with_wrong_query_id dns_server_misbehaving dns_servfail_error dns_temporary_failure
destination_address_required eof_error generic_timeout_error http_invalid_redirect_location_host http_request_failed
http_unexpected_redirect_url http_unexpected_status_code host_unreachable interrupted invalid_argument
json_parse_error message_size network_down network_reset network_unreachable no_buffer_space no_protocol_option
not_a_socket not_connected operation_would_block permission_denied protocol_not_supported quic_incompatible_version
ssl_failed_handshake ssl_invalid_certificate ssl_invalid_hostname ssl_unknown_authority timed_out wrong_protocol_type
"""
