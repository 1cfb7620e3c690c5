"""The matrix where there is no root."""

from __future__ import annotations

from infra.bench.matrix import cases, page, portable
from infra.bench.matrix.judge import RunVerdict
from infra.lab import scenario
from infra.lab.interference import methods


def test_the_portable_lab_has_a_provider_for_every_method():
    """And what each must be called follows from what it touches."""
    read = scenario.read(portable._scenario().encode(), "methods", "here")
    assert {p.id for p in read.providers} == {*methods(), "one-of-two", "nothing", "outage"}
    assert portable.must_be("dns-bogus") == ("blocked dns-bogus", "ok")
    assert portable.must_be("tcp-reset") == ("blocked tcp-reset", "blocked tcp-reset")
    assert portable.must_be("mtproto-dropped") == ("ok", "blocked mtproto-dropped")
    assert portable.must_be("outage") == ("inconclusive", "inconclusive")


def test_the_page_says_when_only_the_portable_lab_was_measured():
    """With its rows, and nothing said of namespaces."""
    case = cases.MatrixCase(id="portable-nothing", what="nothing", web="ok", app="ok")
    said = [RunVerdict("web", "ok", "", "web-works"), RunVerdict("app", "blocked", "unknown", "app-failed")]
    written = page.table([], [cases._result(case, [()], said, 1.0)], "2026-11")
    assert "The namespaces were left out" in written
    assert "| nothing | ok, ok | 0 of 1 (0.0 %) | app: blocked unknown x 1 |" in written
    assert "## Ways of interfering" not in written


def test_runs_in_the_portable_lab_are_judged_by_provider(tmp_path, court):
    """The shipped probe on a line of each, side by side."""
    names = ("nothing", "dns-nxdomain", "tcp-reset")
    found = cases.portable_runs(court, tmp_path, 1, names)
    assert {r.case.what for r in found} == {*names}
    for result in found:
        assert result.right == result.runs == 1, (result.case.id, result.said, result.rules)
