"""A certificate authority for tests."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from pathlib import Path

_USAGE = (
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "encipher_only",
    "decipher_only",
)


class Authority:
    """Issues server certificates into a folder. `file` holds its own certificate, PEM.

    With a `parent` it is an intermediate authority, whose certificate its servers present after their own.
    """

    def __init__(self, folder: Path, name: str = "Test authority", parent: Authority | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        certificate = (parent or self)._sign(_builder(self._name, self._key.public_key(), (-30, 30)), ca=True)
        own = certificate.public_bytes(serialization.Encoding.PEM)
        self.file = folder / "authority.pem"
        self.file.write_bytes(own)
        self.intermediate = own if parent else b""
        """What its servers present after their own certificate, PEM."""

    def issue(self, *names: str, days: tuple[int, int] = (-1, 30)) -> ssl.SSLContext:
        """A server's TLS context with a certificate for `names`, valid over `days` from now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.write(*names, days=days))
        return context

    def write(self, *names: str, days: tuple[int, int] = (-1, 30)) -> Path:
        """The file of such a certificate, with the intermediate one after it and its private key, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(names[0]), key.public_key(), days).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False
        )
        certificate = self._sign(builder, ca=False)
        file = self._folder / f"{certificate.serial_number}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + self.intermediate + private)
        return file

    def _sign(self, builder: x509.CertificateBuilder, *, ca: bool) -> x509.Certificate:
        usage = x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **dict.fromkeys(_USAGE, False))
        public = self._key.public_key()
        return (
            builder.issuer_name(self._name)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _builder(
    subject: x509.Name, public: ec.EllipticCurvePublicKey, days: tuple[int, int] = (-1, 30)
) -> x509.CertificateBuilder:
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
