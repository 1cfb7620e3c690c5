"""A certificate authority that makes certificates for servers on this machine: in the lab, in benches and in tests."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from probe.base import private_file

if TYPE_CHECKING:
    from pathlib import Path

AUTHORITY = "authority.pem"
"""Name of the file, in an authority's folder, with its own certificate."""
_DAYS = 3650
"""How long certificates are valid, in days: the lab keeps them from one start to the next."""
_OTHER_USES = (
    *("content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "encipher_only", "decipher_only"),
)
_PEM = serialization.Encoding.PEM


class Authority:
    """Issues server certificates into a folder, which is made if missing. `file` holds its own certificate, PEM.

    With a `parent` it is an intermediate authority, whose certificate its servers present after their own. Its private
    key is kept in memory only. The certificates have the extensions that the verifier of `cryptography` requires, which
    is stricter than OpenSSL.
    """

    def __init__(self, folder: Path, name: str, parent: Authority | None = None, *, file: str = AUTHORITY) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        certificate = (parent or self).sign(_builder(self._name, self._key.public_key(), (-30, _DAYS)), ca=True)
        own = certificate.public_bytes(_PEM)
        self.file = folder / file
        private_file.replace(self.file, own)
        self.intermediate = own if parent else b""
        """What its servers present after their own certificate, PEM."""

    def issue(self, *names: str, days: tuple[int, int] = (-1, _DAYS)) -> ssl.SSLContext:
        """A server's TLS context with a new certificate for host names, valid over `days` counted from now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.write(*names, days=days))
        return context

    def write(self, *names: str, days: tuple[int, int] = (-1, _DAYS), file: str = "") -> Path:
        """The file of such a certificate, followed by the intermediate one and the certificate's private key, PEM.

        `file` is its name in the folder; by default it is named after the certificate's serial number.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_name(names[0]), key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        certificate = self.sign(builder, ca=False)
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path = self._folder / (file or f"{certificate.serial_number}.pem")
        private_file.replace(path, certificate.public_bytes(_PEM) + self.intermediate + private)
        return path

    def sign(self, builder: x509.CertificateBuilder, *, ca: bool) -> x509.Certificate:
        """Complete a certificate and sign it, as one of an authority (`ca`) or of a server."""
        usage = x509.KeyUsage(
            digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **dict.fromkeys(_OTHER_USES, False)
        )
        return (
            builder.issuer_name(self._name)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _builder(subject: x509.Name, public: ec.EllipticCurvePublicKey, days: tuple[int, int]) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
