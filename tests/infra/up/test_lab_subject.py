"""A stack over a fictional country of the lab."""

from __future__ import annotations

from infra.up.lab_subject import LabSubject


def test_a_lab_needs_no_consent(tmp_path):
    """The lab contacts nobody, so no text is shown."""
    shown = []
    LabSubject("staggered", 0).agree(tmp_path, "", shown.append)
    assert shown == []
