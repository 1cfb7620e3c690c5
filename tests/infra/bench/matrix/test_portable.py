"""The matrix without root."""

from __future__ import annotations

from infra.bench.matrix import cases, page, portable
from infra.bench.matrix.judge import RunVerdict
from infra.lab import scenario
from infra.lab.interference import methods


def test_the_portable_lab_has_a_provider_for_every_method():
    """The expected verdict follows from the surfaces that the method blocks."""
    read = scenario.read(portable._scenario().encode(), "methods", "here")
    assert {p.id for p in read.providers} == {*methods(), "one-of-two", "nothing", "outage"}
    assert portable.expected("dns-bogus") == ("blocked dns-bogus", "ok")
    assert portable.expected("tcp-reset") == ("blocked tcp-reset", "blocked tcp-reset")
    assert portable.expected("mtproto-dropped") == ("ok", "blocked mtproto-dropped")
    assert portable.expected("outage") == ("inconclusive", "inconclusive")


def test_the_page_says_when_only_the_portable_lab_was_measured():
    """With its rows, and without the sections about namespaces."""
    case = cases.MatrixCase(id="portable-nothing", what="nothing", web="ok", app="ok")
    verdicts = [RunVerdict("web", "ok", "", "web-works"), RunVerdict("app", "blocked", "unknown", "app-failed")]
    written = page.table([], [cases._result(case, [()], verdicts, 1.0)], "2026-11")
    assert "The namespaces were left out" in written
    assert "| nothing | ok, ok | 0 of 1 (0.0 %) | app: blocked unknown x 1 |" in written
    assert "## Interference" not in written


def test_runs_in_the_portable_lab_are_judged_by_provider(tmp_path, judge):
    """The shipped probe measures on a line of each provider, at the same time."""
    names = ("nothing", "dns-nxdomain", "tcp-reset")
    results = cases.portable_runs(judge, tmp_path, 1, names)
    assert {r.case.what for r in results} == {*names}
    for result in results:
        assert result.right == result.runs == 1, (result.case.id, result.verdicts, result.rules)
