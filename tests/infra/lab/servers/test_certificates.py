"""The lab's certificates."""

from __future__ import annotations

from infra.lab import scenario
from infra.lab.servers.certificates import Certificates


def test_certificates_are_created_once(tmp_path):
    """A second start uses the same ones, readable only by their owner; an incomplete folder is created anew."""
    quick = scenario.load("quick")
    Certificates(tmp_path / "c", quick)
    created = {f.name: f.read_bytes() for f in (tmp_path / "c").iterdir()}
    Certificates(tmp_path / "c", quick)
    assert {f.name: f.read_bytes() for f in (tmp_path / "c").iterdir()} == created
    assert all(f.stat().st_mode & 0o077 == 0 for f in (tmp_path / "c").glob("*.pem") if f.name != "authority.pem")
    (tmp_path / "c" / "authority.pem").unlink()
    Certificates(tmp_path / "c", quick)
    assert (tmp_path / "c" / "authority.pem").read_bytes() != created["authority.pem"]
