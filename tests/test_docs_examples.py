"""The examples of the guides "adding a …" work as they stand in the docs."""

from __future__ import annotations

import ast
import contextlib
import re

import pytest
from streamlit.testing.v1 import AppTest

import dashboard.page
from aggregator.intake.ingest import IncomingSegment, Ingest
from aggregator.judging import rule_set
from aggregator.store.store import Store
from infra.lab import scenario
from infra.lab.servers.authority import Authority
from infra.lab.truth import truth
from infra.lab.watch import watch_toml
from probe.base.clock import Clock
from probe.measure import checks, registry
from probe.measure.context import Context
from probe.measure.run import choose
from probe.net.network import Network
from probe.protocol import segment, watch_file
from probe.protocol.keys import Key
from tests.support import doc_pages, factory, lab_country
from tests.support.asgi_server import serving
from tests.support.doc_pages import ROOT
from tests.support.empty_api import empty_api
from tests.support.honest_internet import WEB, HonestInternet
from tests.support.servers import MappedDialer


def example(guide: str) -> tuple[str, str]:
    """The one file that a guide gives: its path and its text."""
    ((path, text),) = doc_pages.named_blocks(doc_pages.text(guide)).items()
    assert (ROOT / path).parent.is_dir()
    assert not (ROOT / path).exists(), "an example that was shipped needs another name"
    return path, text


@pytest.fixture
def added_check(tmp_path, monkeypatch):
    """The name of the example's check, whose file stands in the folder of checks."""
    path, text = example("adding-a-check.md")
    name = path.rpartition("/")[2]
    (tmp_path / name).write_text(text)
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    registry.checks.cache_clear()
    yield name.removesuffix(".py")
    registry.checks.cache_clear()


async def test_the_example_of_a_check_is_found_and_measures(added_check, tmp_path):
    """By the file alone; over an invented internet."""
    authority, dialer = Authority(tmp_path, "Test authority"), MappedDialer()
    async with contextlib.AsyncExitStack() as stack:
        town = await HonestInternet(dialer, authority, stack).build()
        (check,) = choose(town.watch, [added_check])
        context = Context(town.watch, Network(dialer, authority.file), Clock())
        steps = await check.steps(context)
        await context.close()
    assert [(s.op, s.address, s.failure) for s in steps] == [
        ("connect", f"{WEB}:80", None),
        ("hold", f"{WEB}:80", None),
    ]
    assert check.sweeps_only


def test_every_place_that_compares_a_checks_name_is_in_the_guide():
    """Modules that look at a measurement's `check`, and statements that compare the column."""
    guide = doc_pages.spans(doc_pages.text("adding-a-check.md"))
    files = [f for room in ("aggregator", "dashboard", "infra", "probe") for f in (ROOT / room).rglob("*")]
    python = [f for f in files if f.suffix == ".py" and _compares_check(ast.parse(f.read_text(encoding="utf-8")))]
    sql = [f for f in files if f.suffix == ".sql" and re.search(r"\bcheck\s*(=|!=|IN)", f.read_text(encoding="utf-8"))]
    assert python
    assert sql
    assert [f.relative_to(ROOT).as_posix() for f in python + sql if f.relative_to(ROOT).as_posix() not in guide] == []


def _compares_check(tree):
    return any(
        isinstance(part, ast.Attribute) and part.attr == "check"
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        for part in (node.left, *node.comparators)
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An embedded store."""
    opened = Store.open(f"chdb://{tmp_path_factory.mktemp('store')}")
    yield opened
    opened.close()


def test_the_example_of_a_rule_decides_its_run(store):
    """Before the rule that the guide names; other runs are judged as before."""
    (row,) = doc_pages.fenced(doc_pages.text("adding-a-rule.md"), "toml")
    newest = rule_set.load(rule_set.newest())
    before = '[[rule]]\nid = "web-failed"'
    assert newest.text.count(before) == 1
    rules = rule_set.read(newest.text.replace(before, f"{row}\n{before}"), "2999-01", "the guide")
    (added,) = {r.id for r in rules.rules} - {r.id for r in newest.rules}
    runs = [
        factory.measurement("web", (*factory.agree(), *factory.handshake(failure=failure)))
        for failure in ("eof_error", "connection_reset")
    ]
    probe = Key.create("user")
    ingest = Ingest(store, Key.create("operator"), {"test": factory.TEST_WATCH}, rules)
    ingest.take([IncomingSegment(probe.id, segment.seal(runs, probe, 1, runs[0].at_ms).raw)])
    found = [store.read("run_verdicts", watch="test", provider="north-fixed", run_id=m.run_id)[0] for m in runs]
    assert [v["rule"] for v in found] == [added, "tls-reset"]
    assert "closed during the handshake at 192.0.2.1" in found[0]["evidence"]


def test_the_keys_of_a_rule_are_all_in_the_guide():
    """And no other."""
    (keys, *_) = doc_pages.tables(doc_pages.section(doc_pages.text("adding-a-rule.md"), "A minimal example"))
    assert sorted(doc_pages.code(r["key"])[0] for r in keys) == sorted(rule_set.Rule.__struct_fields__)


def test_the_example_of_a_page_shows_a_watch(tmp_path, monkeypatch):
    """Run as Streamlit runs it, over the API; and its line fits into the list of pages."""
    path, text = example("adding-a-page.md")
    (tmp_path / "page.py").write_text(text)
    watch = lab_country.watch()
    with serving(empty_api({watch.id: watch})) as url:
        monkeypatch.setenv("BLOCKONSET_DASHBOARD_API", url)
        dashboard.page.api.clear()
        ran = AppTest.from_file(str(tmp_path / "page.py"), default_timeout=10).run()
        dashboard.page.api.clear()
    assert not ran.exception
    shown = "".join(str(element.proto) for element in ran.get("html"))
    assert all(p.name in shown for p in watch.providers)

    line = next(b for b in doc_pages.fenced(doc_pages.text("adding-a-page.md"), "python") if b.startswith("st.Page("))
    app = (ROOT / "dashboard" / "app.py").read_text(encoding="utf-8")
    assert app.count("pages = [\n") == 1
    ast.parse(app.replace("pages = [\n", f"pages = [\n    {line.strip()},\n"))
    assert f'"{path.removeprefix("dashboard/")}"' in line


def test_the_example_of_a_scenario_can_be_played(tmp_path):
    """It is read, has a truth, and makes a watch without it."""
    path, text = example("adding-a-scenario.md")
    file = tmp_path / path.rpartition("/")[2]
    file.write_text(text)
    country = scenario.load(str(file))
    assert [row["blocked"] for row in truth(country, 0)] == [True, False]
    watch = watch_file.read(watch_toml(country, 1_800_000_000_000), "the guide")
    assert len(watch.providers) == len(country.providers)


@pytest.mark.parametrize("guide", ["adding-a-check.md", "adding-a-rule.md", "adding-a-page.md", "adding-a-scenario.md"])
def test_every_place_that_a_guide_names_is_there(guide):
    """Each row of the tables of places begins with files or folders of the repository."""
    page = doc_pages.text(guide)
    places = [p for t in doc_pages.tables(page) for row in t if "place" in row for p in doc_pages.code(row["place"])]
    assert len(places) >= 4
    assert [p for p in places if not (ROOT / p).exists()] == []
