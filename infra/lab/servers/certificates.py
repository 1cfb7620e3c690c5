"""The lab's certificates: those of an authority that the probes trust, and two of an authority that they don't.

They are created once and kept in the data directory, so that a restarted country shows the same certificates.
"""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from probe.base import private_file

if TYPE_CHECKING:
    from infra.lab.scenario import Scenario

AUTHORITY = "authority.pem"
"""Name of the file, in the folder of certificates, with the authority's certificate that the fleet trusts."""
_VALID = dt.timedelta(days=3650)


class Issuer:
    """A certificate authority."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.certificate = self._sign(_builder(self._name, self._name, self._key), authority=True)

    def issue(self, host: str, since: dt.timedelta = -dt.timedelta(days=1)) -> bytes:
        """A server certificate for `host` with its private key, PEM; valid from the present time plus `since` on."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_name(host), self._name, key, since)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        certificate = self._sign(builder, authority=False)
        return certificate.public_bytes(serialization.Encoding.PEM) + _private(key)

    def _sign(self, builder: x509.CertificateBuilder, *, authority: bool) -> x509.Certificate:
        public = self._key.public_key()
        return (
            builder.add_extension(
                x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True
            )
            .add_extension(_usage(authority=authority), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )


class Certificates:
    """The TLS server contexts of a country, from a folder in which the certificates are created at the first start.

    `site` and `control` are genuine, `impostor` has the site's name but is issued by an authority that nobody trusts,
    and `notice` is the block server's.
    """

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        if not (folder / AUTHORITY).exists():
            _create(folder, scenario)
        self.site = _context(folder / "site.pem")
        self.control = _context(folder / "control.pem")
        self.impostor = _context(folder / "impostor.pem")
        self.notice = _context(folder / "notice.pem")


def _create(folder: Path, scenario: Scenario) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    trusted, foreign = Issuer("Lab authority (fictional)"), Issuer("Filter authority (fictional)")
    site = scenario.surfaces.web.host if scenario.surfaces.web else scenario.control.host
    for name, issuer, host in (
        ("site", trusted, site),
        ("control", trusted, scenario.control.host),
        ("impostor", foreign, site),
        ("notice", foreign, scenario.block_server.host),
    ):
        file = folder / f"{name}.pem"
        file.touch(mode=0o600)
        file.write_bytes(issuer.issue(host))
    # written last: if it exists, all the others do
    private_file.replace(folder / AUTHORITY, trusted.certificate.public_bytes(serialization.Encoding.PEM))


def _context(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.num_tickets = 0  # not needed, and each ticket costs about as much as a signature
    return context


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    since: dt.timedelta = -dt.timedelta(days=1),
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + since)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
