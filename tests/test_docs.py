"""The docs list everything that is public, and nothing that doesn't exist."""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
import re
import tomllib
from importlib import metadata

import msgspec
import pytest

from aggregator.config import Settings, load
from aggregator.inference.files import fields
from aggregator.judging import rule_set
from infra.lab import scenario
from infra.lab.interference import methods
from probe.base import environment
from probe.cli.main import parts
from probe.home import config
from probe.measure import registry
from tests.support import command_line, doc_pages
from tests.support.doc_pages import DOCS, ROOT, code, tables
from tests.support.empty_api import empty_api

ROOMS = ("aggregator", "dashboard", "infra", "probe")
VARIABLE = re.compile(r"BLOCKONSET_[A-Z0-9_]*[A-Z0-9]")
PREFIXES = {"BLOCKONSET_PROBE", "BLOCKONSET_AGGREGATOR", "BLOCKONSET_DASHBOARD"}
"""What variables of a part begin with."""
COMMANDS = command_line.commands()


def one_table(page: str, heading: str, first: str) -> list[dict[str, str]]:
    """The rows of the one table under a heading whose first column has this title."""
    (table,) = [t for t in tables(doc_pages.section(doc_pages.text(page), heading)) if first in t[0]]
    return table


# -- commands


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_and_option_is_documented(line):
    """In commands.md, under the command's own heading, which lists no option that the command doesn't have."""
    known = command_line.arguments(COMMANDS[line])
    if line == "blockonset aggregator":  # its section refers to the one of `run`
        assert known == command_line.arguments(COMMANDS["blockonset aggregator run"])
        return
    documented = [name for row in one_table("commands.md", line, "argument") for name in code(row["argument"])]
    assert [names[0] for names in known if names[0] not in documented] == []
    assert [name for name in documented if not any(name in names for names in known)] == []


def test_no_command_is_documented_that_is_not_there():
    """Each heading of commands.md is a command."""
    headings = re.findall(r"^## (blockonset .*)$", doc_pages.text("commands.md"), re.MULTILINE)
    assert sorted(headings) == sorted(COMMANDS)


def test_the_columns_of_a_file_of_measurements_are_documented():
    """Those that `blockonset infer` needs, and those that it takes."""
    rows = one_table("commands.md", "blockonset infer", "column")
    documented = {name: row["required"] for row in rows for name in code(row["column"])}
    assert documented == dict.fromkeys(fields.REQUIRED, "yes") | dict.fromkeys(fields.OPTIONAL, "no")


# -- configuration


def keys_of(shape: type[msgspec.Struct], prefix: str = "") -> dict[str, str]:
    """The keys of a configuration with their defaults, as the docs write them."""
    found: dict[str, str] = {}
    for field in msgspec.structs.fields(shape):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found |= keys_of(field.type, f"{field.name}.")
        else:
            required = field.required
            found[prefix + field.name] = "required" if required else f"`{json.dumps(field.default)}`"
    return found


def test_every_key_of_a_probe_is_documented_with_its_variable_and_default():
    """Keys of the table `[vantage]` too."""
    rows = [r for t in tables(doc_pages.section(doc_pages.text("configuration.md"), "Probe")) for r in t]
    assert {code(r["key"])[0]: r["default"] for r in rows} == keys_of(config.Config)
    for r in rows:
        assert r["variable"] == f"`BLOCKONSET_PROBE_{code(r['key'])[0].upper().replace('.', '_')}`"
        assert r["type"]
        assert r["meaning"]


def test_the_example_of_a_probes_file_can_be_read(tmp_path):
    """As it stands."""
    (example,) = doc_pages.fenced(doc_pages.section(doc_pages.text("configuration.md"), "Probe"), "toml")
    (tmp_path / "probe.toml").write_text(example)
    assert config.load(tmp_path / "probe.toml", {}).vantage.access == "fixed"


def test_every_setting_of_the_aggregator_is_documented_with_its_variable_option_and_default():
    """Two of them have no option."""
    rows = {code(r["key"])[0]: r for r in one_table("configuration.md", "Aggregator", "key")}
    options = {n for names in command_line.arguments(COMMANDS["blockonset aggregator run"]) for n in names}
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    assert rows.keys() == defaults.keys()
    for key, row in rows.items():
        option, default = f"--{key.replace('_', '-')}", defaults[key]
        assert row["variable"] == f"`BLOCKONSET_AGGREGATOR_{key.upper()}`"
        assert row["option"] == (f"`{option}`" if option in options else "none")
        if isinstance(default, int | float):
            assert row["default"] == f"`{default}`"


@pytest.mark.parametrize("commented", [True, False])
def test_the_example_of_an_aggregators_file_can_be_read(tmp_path, commented):
    """As it stands, and with the keys that are commented out."""
    (example,) = doc_pages.fenced(doc_pages.section(doc_pages.text("configuration.md"), "Aggregator"), "toml")
    text = example if commented else re.sub(r"^# (\w+ = )", r"\1", example, flags=re.MULTILINE)
    (tmp_path / "aggregator.toml").write_text(text)
    settings = load(tmp_path / "aggregator.toml", {})
    assert settings.watch == (tmp_path / "watches" / "example.toml",)
    assert settings.store.startswith("chdb:///var/lib/blockonset/" if commented else "https://")
    if not commented:
        assert {*tomllib.loads(text)} == {field.name for field in msgspec.structs.fields(Settings)}


def variables() -> set[str]:
    """Every variable that is read: by every command, by a part, or by the tests."""
    of_parts = {name for point in parts() for name in variables_of(point)}
    return {*environment.COMMON, *of_parts}


def variables_of(point: metadata.EntryPoint) -> tuple[str, ...]:
    """Those that the module of a part lists."""
    return getattr(importlib.import_module(point.module), "VARIABLES", ())


def test_every_variable_is_documented():
    """In configuration.md; and neither code nor page names one that nothing reads, but for decisions on old names."""
    assert sorted(variables() - set(VARIABLE.findall(doc_pages.text("configuration.md")))) == []
    files = [f for room in ROOMS for f in (ROOT / room).rglob("*") if f.suffix in {".py", ".toml", ".service"}]
    files += [ROOT / "Makefile", ROOT / ".ci" / "run", *(p for p in doc_pages.pages() if p.parent.name != "decisions")]
    mentioned = {v for file in files for v in VARIABLE.findall(file.read_text(encoding="utf-8"))}
    assert sorted(mentioned - variables() - PREFIXES) == []


# -- the API


def test_every_route_is_documented_with_its_parameters():
    """Those of the OpenAPI document, and the pages that describe it."""
    app = empty_api()
    paths = {re.sub(r":\w+}", "}", r.path) for r in app.routes}
    operations = app.openapi_schema.to_schema()["paths"]
    rows = {code(r["route"])[0]: sorted(code(r["parameters"])) for r in tables(doc_pages.text("api.md"))[0]}
    queries = {
        p: sorted(q["name"] for q in operations.get(p, {"get": {}})["get"].get("parameters", ()) if q["in"] == "query")
        for p in paths
        if not p.startswith("/docs/")  # the OpenAPI document once more, under Litestar's own path
    }
    assert rows == queries


# -- checks, rules, methods, scenarios


def test_every_check_is_documented():
    """With its surface, and whether it is made in sweeps alone."""
    rows = one_table("checks-and-rules.md", "Checks", "check")
    documented = {(code(r["check"])[0], r["surface"], r["runs"] == "sweeps") for r in rows}
    assert documented == {(c.name, c.surface, c.sweeps_only) for c in registry.checks()}


def test_every_rule_is_documented():
    """Of the newest rule set, in its order, with what it gives."""
    rules = rule_set.load(rule_set.newest())
    page = doc_pages.section(doc_pages.text("checks-and-rules.md"), "Rules")
    rows = [(code(r["rule"])[0], r["surface"], r["verdict"], r["method"]) for r in tables(page)[0]]
    assert rows == [(r.id, r.surface, f"`{r.verdict}`", f"`{r.method}`" if r.method else "") for r in rules.rules]
    assert f"`{rules.version}`" in page


def test_every_method_is_documented():
    """Of the closed list; and the lab's gateways can apply all of them except `unknown`."""
    rows = one_table("checks-and-rules.md", "Methods", "method")
    assert tuple(code(r["method"])[0] for r in rows) == rule_set.METHODS
    assert set(methods()) == set(rule_set.METHODS) - {"unknown"}


def test_every_scenario_is_documented():
    """By its name."""
    assert tuple(code(r["scenario"])[0] for r in tables(doc_pages.text("lab.md"))[0]) == scenario.names()


# -- the map, the decisions


def packages() -> list[str]:
    """Every package of the repository."""
    found = []
    for room in ROOMS:
        spec = importlib.util.find_spec(room)
        found.append(room)
        found += [m.name for m in pkgutil.walk_packages(spec.submodule_search_locations, f"{room}.") if m.ispkg]
    return sorted(found)


def test_every_package_is_in_the_map():
    """One row each; and no row for a package that doesn't exist."""
    assert sorted(code(r["package"])[0] for r in one_table("map.md", "Packages", "package")) == packages()


def test_the_maps_order_is_the_contracts():
    """Each layer of the import contracts in pyproject.toml, in their order."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    order = doc_pages.blocks(doc_pages.section(doc_pages.text("map.md"), "Order"))[0]
    for contract in contracts:
        if contract["type"] == "layers" and "containers" in contract:
            name = contract["containers"][0].rpartition(".")[2]
            drawn = re.search(rf"^{name}: +(.*(?:\n +.*)*)", order, re.MULTILINE)
            assert drawn, f"{name} is not in the map's order"
            assert [line.strip() for line in drawn[1].splitlines()] == contract["layers"]


def test_decisions_are_numbered_dated_and_listed():
    """In order and without a gap."""
    files = sorted(p for p in (DOCS / "decisions").glob("*.md") if p.name != "README.md")
    rows = tables(doc_pages.text("decisions/README.md"))[0]
    listed = [(re.search(r"\((.*)\)", r["number"])[1], r["decision"], r["status"], r["date"]) for r in rows]
    written = []
    for number, file in enumerate(files, 1):
        body = file.read_text(encoding="utf-8")
        title = re.match(rf"# {number:03}\. (.+)\n", body)
        assert title, f"{file.name} does not begin with '# {number:03}. …'"
        assert file.name.startswith(f"{number:03}-")
        status = re.search(r"^- Status: (accepted|superseded by \d{3})$", body, re.MULTILINE)
        date = re.search(r"^- Date: (\d{4}-\d\d-\d\d)$", body, re.MULTILINE)
        written.append((file.name, title[1], status[1], date[1]))
    assert listed == written


# -- the first thing to do, and the tools


def test_the_readme_begins_with_the_two_commands():
    """In its first block of code."""
    first = doc_pages.blocks(doc_pages.text("../README.md"))[0]
    assert [line.partition("#")[0].strip() for line in first.splitlines()] == ["make run", "make test"]


def test_hooks_run_the_projects_own_tools():
    """The tools of `make check`, from .venv; no hook is downloaded."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"- repo: (.*)", hooks)) == {"local"}
    called = re.findall(r"entry: \.venv/bin/([\w-]+(?: \w+)?)", hooks)
    assert len(called) == hooks.count("entry:")
    check = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert called == re.findall(r"\$\(BIN\)/([\w-]+(?: \w+)?)", check)


# -- links and paths


@pytest.mark.parametrize("page", doc_pages.pages(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    """To a file of the repository, and to a heading in it. Addresses on the internet are not contacted."""
    wrong = []
    for link in doc_pages.links(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in doc_pages.anchors(target.read_text(encoding="utf-8"))):
            wrong.append(link)
    assert wrong == []


def test_every_path_in_the_docs_is_there():
    """Inline code that begins with a folder of the repository names an existing file or folder."""
    path = re.compile(rf"(?:{'|'.join(ROOMS)}|tests|docs|\.ci)/[\w./-]*")
    wrong = []
    for page in doc_pages.pages():
        body = page.read_text(encoding="utf-8")
        examples = doc_pages.named_blocks(body)
        named = {s for s in doc_pages.spans(body) if path.fullmatch(s)} - examples.keys()
        wrong += [f"{page.relative_to(ROOT)}: {s}" for s in sorted(named) if not (ROOT / s).exists()]
    assert wrong == []


def test_every_page_can_be_reached_from_the_readme():
    """By links, however many."""
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        found = (link.partition("#")[0] for link in doc_pages.links(page.read_text(encoding="utf-8")))
        todo += [(page.parent / name).resolve() for name in found if name and ":" not in name]
    assert [p.relative_to(ROOT).as_posix() for p in doc_pages.pages() if p not in reached] == []


@pytest.mark.parametrize("page", doc_pages.pages(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_lines_are_of_a_length_that_diffs_can_show(page):
    """Except tables, and pages that commands write."""
    if page.name not in doc_pages.WRITTEN_BY_COMMANDS:
        lines = [line for line in page.read_text(encoding="utf-8").splitlines() if not line.startswith(("|", "!["))]
        assert [line for line in lines if len(line) > 130] == []
