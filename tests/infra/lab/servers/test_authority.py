"""Certificates of an authority of the lab, as two verifiers judge them."""

from __future__ import annotations

import datetime as dt
import ssl

import pytest
from cryptography import x509
from cryptography.x509 import verification

from infra.lab.servers.authority import Authority

HOST = "web.papergull.example"


def handshake(server: ssl.SSLContext, authority: Authority, host: str = HOST) -> None:
    """A handshake in memory with a client of OpenSSL that trusts this authority alone. Raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=authority.file).wrap_bio(to_client, to_server, server_hostname=host)
    ends = [client, server.wrap_bio(to_server, to_client, server_side=True)]
    while ends:
        for end in tuple(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)


def verify(chain: list[x509.Certificate], authority: Authority) -> None:
    """Verify a chain by `cryptography`, as the probe does afterwards. Raises VerificationError."""
    store = verification.Store(x509.load_pem_x509_certificates(authority.file.read_bytes()))
    policy = verification.PolicyBuilder().store(store).time(dt.datetime.now(dt.UTC))
    policy.build_server_verifier(x509.DNSName(HOST)).verify(chain[0], chain[1:])


def chain_of(authority: Authority, *names: str, days: tuple[int, int] = (-1, 30)) -> list[x509.Certificate]:
    """The certificates that a server of the authority presents."""
    return x509.load_pem_x509_certificates(authority.write(*names, days=days).read_bytes())


def test_both_verifiers_accept_its_certificates(tmp_path):
    """For each of several names, directly and through an intermediate one. Only the owner can read the files."""
    root = Authority(tmp_path / "root", "Root")
    between = Authority(tmp_path / "between", "Between", root)
    for issuer in (root, between):
        handshake(issuer.issue("other.example", HOST), root)
        verify(chain_of(issuer, "other.example", HOST), root)
    assert all(f.stat().st_mode & 0o077 == 0 for f in tmp_path.rglob("*.pem"))


@pytest.mark.parametrize("days", [(-9, -2), (5, 30)])
def test_both_verifiers_refuse_them_outside_their_validity(tmp_path, days):
    """An expired one, and one that is not valid yet."""
    root = Authority(tmp_path, "Root")
    with pytest.raises(ssl.SSLError):
        handshake(root.issue(HOST, days=days), root)
    with pytest.raises(verification.VerificationError):
        verify(chain_of(root, HOST, days=days), root)


def test_both_verifiers_refuse_another_authority_and_another_name(tmp_path):
    """Also one that has the same name, and a chain without its intermediate certificate."""
    root, other = Authority(tmp_path / "root", "Root"), Authority(tmp_path / "other", "Root")
    between = Authority(tmp_path / "between", "Between", root)
    complete = chain_of(between, HOST)
    between.intermediate = b""
    for server, chain in (
        (other.issue(HOST), chain_of(other, HOST)),
        (root.issue("other.example"), chain_of(root, "other.example")),
        (between.issue(HOST), complete[:1]),
    ):
        with pytest.raises(ssl.SSLError):
            handshake(server, root)
        with pytest.raises(verification.VerificationError):
            verify(chain, root)
