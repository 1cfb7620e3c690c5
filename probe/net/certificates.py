"""Judges whether a captured certificate chain is valid for a host.

The handshake itself verifies nothing, so that a wrong certificate is captured; it is verified here, afterwards.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import re
import ssl
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification

from probe.base.errors import UserError
from probe.net import failures
from probe.protocol import privacy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.net.step import StepFacts

_MOST_NAMES = 8
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_UNREADABLE = (ValueError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)
"""What `cryptography` raises for malformed certificates."""
_ENCODING_DER = 2
"""OpenSSL's number for DER, as `_ssl` takes it."""


class JudgedCertificate(NamedTuple):
    """A presented chain: SHA-256 of its leaf in hex, why it is not valid (None if it is), the leaf's host names."""

    certificate: str
    failure: str | None
    names: tuple[str, ...]

    def facts(self) -> StepFacts:
        """The facts of a step in which the chain was presented."""
        return {"certificate": self.certificate, "certificate_failure": self.failure, "names": self.names}


@functools.cache
def anchors(ca_file: Path | None) -> verification.Store:
    """The trust store: the certificates in `ca_file`, or those that this machine trusts. Read once.

    Raises UserError when there are none: every certificate would look wrong.
    """
    trusted = []
    for der in _authorities(ca_file):
        with contextlib.suppress(*_UNREADABLE):  # one malformed certificate must not exclude the others
            trusted.append(_load(der))
    if not trusted:
        where = str(ca_file) if ca_file else "this machine"
        raise UserError(
            f"no certificate authorities found in {where}: install the ca-certificates package or give a file"
        )
    return verification.Store(trusted)


def _authorities(ca_file: Path | None) -> Iterator[bytes]:
    if ca_file is not None:
        yield from _read(ca_file)
        return
    loaded = ssl.create_default_context().get_ca_certs(binary_form=True)
    yield from loaded
    # OpenSSL reads a directory of authorities only when it verifies a chain, so `get_ca_certs` lists none of them.
    directory = ssl.get_default_verify_paths().capath
    if not loaded and directory:
        for path in sorted(Path(directory).glob("*.0")):
            yield from _read(path)


def _read(path: Path) -> Iterator[bytes]:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as e:
        raise UserError(f"{path}: the file of certificate authorities can't be read: {e.strerror}") from e
    for block in _PEM.findall(text):
        try:
            yield ssl.PEM_cert_to_DER_cert(block)
        except ValueError as e:
            raise UserError(f"{path}: a certificate in it is not valid PEM") from e


def _load(der: bytes) -> x509.Certificate:
    """Parse a certificate. Raises one of _UNREADABLE."""
    with warnings.catch_warnings():
        # Some old authorities break today's rules (a serial number of zero), and machines still trust them.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return x509.load_der_x509_certificate(der)


def chain_of(tls: ssl.SSLObject) -> list[bytes]:
    """The DER certificates that the peer presented, the leaf first."""
    if hasattr(tls, "get_unverified_chain"):  # public since Python 3.13
        return list(tls.get_unverified_chain())
    inner: Any = tls._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 - before 3.13 only the inner object has it
    return [bytes(c.public_bytes(_ENCODING_DER)) for c in inner.get_unverified_chain() or ()]


def judge(chain: Sequence[bytes], host: str, ca_file: Path | None) -> JudgedCertificate:
    """Judge the chain that a server presented for `host`: DER certificates, the leaf first.

    The first fault counts, in this order: the host name, the authority, the certificate's dates. So a certificate that
    fails by its dates alone is the host's own: it has expired, or this machine's clock is wrong. The result for a chain
    is kept for an hour, since verifying costs milliseconds and a service presents the same chain at every run.
    """
    return _judge(tuple(chain), host, ca_file, int(time.time() // 3600))


@functools.lru_cache(maxsize=512)
def _judge(chain: tuple[bytes, ...], host: str, ca_file: Path | None, _hour: int) -> JudgedCertificate:
    fingerprint = hashlib.sha256(chain[0]).hexdigest()
    try:
        leaf, *rest = [_load(der) for der in chain]
        names = _names(leaf)
    except _UNREADABLE:
        return JudgedCertificate(fingerprint, failures.SSL_INVALID_CERTIFICATE, ())
    kept = [n for n in names if not privacy.contains_identifier(n)]
    return JudgedCertificate(fingerprint, _failure(leaf, rest, names, host, ca_file), tuple(kept[:_MOST_NAMES]))


def _failure(
    leaf: x509.Certificate, rest: list[x509.Certificate], names: tuple[str, ...], host: str, ca_file: Path | None
) -> str | None:
    if not any(_covers(name, host.lower()) for name in names):
        return failures.SSL_INVALID_HOSTNAME
    now = dt.datetime.now(dt.UTC)
    is_current = leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc
    # The authority is verified at a time when the leaf was valid, so that a wrong clock is not taken for a forgery.
    when = now if is_current else leaf.not_valid_before_utc + (leaf.not_valid_after_utc - leaf.not_valid_before_utc) / 2
    policy = verification.PolicyBuilder().store(anchors(ca_file)).time(when)
    try:
        policy.build_server_verifier(x509.DNSName(host)).verify(leaf, rest)
    except verification.VerificationError:
        return failures.SSL_UNKNOWN_AUTHORITY
    return None if is_current else failures.SSL_INVALID_CERTIFICATE


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    """The host names that a leaf is for, in lower case, sorted. Raises ValueError when they can't be read."""
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(sorted(n.lower() for n in extension.value.get_values_for_type(x509.DNSName)))


def _covers(name: str, host: str) -> bool:
    """Whether a certificate's name is the host's, or a wildcard that stands for its leftmost label (RFC 9525)."""
    return name == host or (name.startswith("*.") and name[2:] == host.partition(".")[2])
