"""Verdict rules as data: a TOML file a version, compiled to one statement over the facts of a run.

A rule is a row (see aggregator/judging/rules/*.toml). Adding one is adding a row; the first whose condition holds
decides.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import msgspec

from probe.base.errors import UserError

Method = Literal[
    "dns-nxdomain",
    "dns-bogus",
    "dns-injected",
    "dns-timeout",
    "tcp-refused",
    "tcp-reset",
    "tcp-timeout",
    "tls-reset",
    "tls-reset-after-sni",
    "tls-timeout",
    "tls-mitm",
    "http-blockpage",
    "mtproto-dropped",
    "throttled",
    "unknown",
]
METHODS: tuple[Method, ...] = get_args(Method)
"""How a service is blocked: the closed list."""

DIRECTORY = Path(__file__).parent / "rules"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule. `condition` and `evidence` are ClickHouse expressions over the columns of facts.sql."""

    id: str
    surface: Literal["web", "app", "both"]
    condition: str
    verdict: Literal["ok", "blocked", "inconclusive", "down"]
    reason: str
    """Why the condition supports the verdict, for people. Shown beside the evidence."""
    evidence: str
    """Gives a text: what was seen in the run."""
    method: Method | None = None
    """How the service is blocked; only with the verdict `blocked`."""
    stage: Literal["run", "read"] = "run"
    """`run`: decided once, from the run alone. `read`: decided when rows are read, beside the references' runs."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Rule, ...]


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one version, in the order in which they are tried."""

    version: str
    rules: tuple[Rule, ...]
    text: str
    """The file, word for word."""
    digest: str
    """SHA-256 of the file, hex."""

    def statement(self) -> str:
        """The SQL that judges the measurements received in a span, with parameters rule_set, since and until."""
        rules = [r for r in self.rules if r.stage == "run"]
        parts = {
            "facts": sql("facts"),
            "verdicts": _array(r.verdict for r in rules),
            "ids": _array(r.id for r in rules),
            "methods": _array(r.method or "" for r in rules),
            "first_match": _first_match(rules),
            "evidence": _first([(f"matched = {n}", r.evidence) for n, r in enumerate(rules, 1)], "''"),
        }
        return _PLACE.sub(lambda place: parts[place[1]], sql("judge"))


@cache
def sql(name: str) -> str:
    """The text of a statement beside this file: `facts` or `judge`."""
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")


_PLACE = re.compile(r"\{\{(\w+)\}\}")


def versions() -> tuple[str, ...]:
    """The versions of the rule sets that exist, oldest first."""
    return tuple(sorted(p.stem for p in DIRECTORY.glob("*.toml")))


def newest() -> str:
    """The version in force: the last file by name."""
    return versions()[-1]


@cache
def load(version: str) -> RuleSet:
    """A rule set by its version. Raises UserError naming the file and the row that is wrong."""
    path = DIRECTORY / f"{version}.toml"
    if version not in versions():
        raise UserError(f"rule set {version!r}: unknown; known are {', '.join(versions())}")
    return read(path.read_text(encoding="utf-8"), version, str(path))


def read(text: str, version: str, source: str) -> RuleSet:
    """Parse and check a rule set; `source` names it in errors. Raises UserError."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File, strict=True)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as e:
        raise UserError(f"rules {source}: {e}") from e
    seen: set[str] = set()
    for n, rule in enumerate(file.rule):
        problem = f"id {rule.id!r} stands twice" if rule.id in seen else _problem(rule)
        if problem:
            raise UserError(f"rules {source}: rule[{n}] {rule.id}: {problem}")
        seen.add(rule.id)
    for surface in ("web", "app"):
        _check_last(file.rule, surface, source)
    return RuleSet(version=version, rules=file.rule, text=text, digest=hashlib.sha256(text.encode()).hexdigest())


def _problem(rule: Rule) -> str:
    """What is wrong with one row, or ""."""
    if (rule.method is not None) != (rule.verdict == "blocked"):
        return "a method belongs to the verdict 'blocked', and only to it"
    if (rule.stage == "read") != (rule.verdict == "down"):
        return "the verdict 'down' is given when rows are read, and no other"
    empty = next((k for k in ("condition", "reason", "evidence") if not getattr(rule, k).strip()), "")
    return f"{empty} is empty" if empty else ""


def _check_last(rules: tuple[Rule, ...], surface: str, source: str) -> None:
    """Every run gets a verdict: the last rule of each surface holds always."""
    mine = [r for r in rules if r.stage == "run" and r.surface in (surface, "both")]
    if not mine or mine[-1].condition.strip() != "1":
        raise UserError(f'rules {source}: the last rule for {surface} must have the condition "1"')


def _first_match(rules: list[Rule]) -> str:
    """The number of the first rule that holds, from 1; a list for each surface, the last for those without rules.

    Asking for the surface in every condition would cost more: the engine reads all that stands below, once for each
    comparison inside of AND, before it runs anything.
    """

    def first(*surfaces: str) -> str:
        mine = [(f"({r.condition.strip()})", str(n)) for n, r in enumerate(rules, 1) if r.surface in surfaces]
        return _first(mine, "0") if mine else "0"

    each = [(f"surface = {_quote(s)}", first(s, "both")) for s in ("web", "app")]
    return _first(each, first("both"))


def _first(pairs: list[tuple[str, str]], otherwise: str) -> str:
    """The value beside the first condition that holds."""
    cases = [f"{condition},\n        {value.strip()}" for condition, value in pairs]
    return "multiIf(\n    " + ",\n    ".join([*cases, otherwise]) + ")"


def _array(values: Iterable[str]) -> str:
    return "[" + ", ".join(_quote(v) for v in values) + "]"


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
