"""What keeps runs from counting is logged when it begins and when it ends."""

from __future__ import annotations

import structlog.testing

from probe.place.path_notice import PathNotice
from probe.protocol.measurement import Vantage


def test_a_detour_is_logged_once_and_so_is_its_end():
    """A path that is not known changes nothing; each owner of runs has a notice of its own."""
    notice = PathNotice()
    with structlog.testing.capture_logs() as logged:
        for path in ("direct", "vpn", "vpn", "unknown", "vpn", "direct", "direct"):
            notice.report(Vantage(path=path))
        notice.report(Vantage(path="direct", changed=True))
    assert [(entry["log_level"], "why" in entry) for entry in logged] == [
        ("warning", True),
        ("info", False),
        ("warning", True),
    ]


def test_the_next_process_of_a_probe_does_not_log_it_again():
    """It is told which path was reported last."""
    first, second = PathNotice(), PathNotice()
    first.report(Vantage(path="vpn"))
    second.reported = first.reported
    with structlog.testing.capture_logs() as logged:
        second.report(Vantage(path="vpn"))
    assert logged == []
