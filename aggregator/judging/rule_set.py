"""Verdict rules as data: one TOML file for each version, compiled to one statement over the facts of runs.

The format is described at the top of the files in aggregator/judging/rules. The first rule whose condition holds
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
"""The ways in which a service is blocked: a closed list."""

DIRECTORY = Path(__file__).parent / "rules"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule. `condition` and `evidence` are ClickHouse expressions over the columns of facts.sql."""

    id: str
    surface: Literal["web", "app", "both"]
    condition: str
    verdict: Literal["ok", "blocked", "inconclusive", "down"]
    reason: str
    """Why the condition supports the verdict, for readers. It is shown with the evidence."""
    evidence: str
    """Gives a text: what was seen in the run."""
    method: Method | None = None
    """How the service is blocked; only with the verdict `blocked`."""
    stage: Literal["run", "read"] = "run"
    """`run`: decided once, from the run alone. `read`: decided when rows are read, with the references' runs."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Rule, ...]


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one version, in the order in which they are tried."""

    version: str
    rules: tuple[Rule, ...]
    text: str
    """The content of the file."""
    digest: str
    """SHA-256 of the file, hex."""

    def statement(self) -> str:
        """The SQL that judges the measurements received in a span. Parameters: rule_set; since and until in ms."""
        rules = [r for r in self.rules if r.stage == "run"]
        parts = {
            "facts": sql("facts"),
            "verdicts": _array(r.verdict for r in rules),
            "ids": _array(r.id for r in rules),
            "methods": _array(r.method or "" for r in rules),
            "first_match": _first_match(rules),
            "evidence": _multi_if([(f"matched = {n}", r.evidence) for n, r in enumerate(rules, 1)], "''"),
        }
        return _PLACEHOLDER.sub(lambda match: parts[match[1]], sql("judge"))


@cache
def sql(name: str) -> str:
    """The text of a statement beside this file: `facts` or `judge`."""
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")


_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


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
    """Parse and check a rule set; `source` is its name in errors. Raises UserError."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File, strict=True)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as e:
        raise UserError(f"rules {source}: {e}") from e
    ids: set[str] = set()
    for n, rule in enumerate(file.rule):
        problem = f"the id {rule.id!r} is used twice" if rule.id in ids else _problem(rule)
        if problem:
            raise UserError(f"rules {source}: rule[{n}] {rule.id}: {problem}")
        ids.add(rule.id)
    for surface in ("web", "app"):
        _check_last(file.rule, surface, source)
    return RuleSet(version=version, rules=file.rule, text=text, digest=hashlib.sha256(text.encode()).hexdigest())


def _problem(rule: Rule) -> str:
    """What is wrong with one rule, or ""."""
    if (rule.method is not None) != (rule.verdict == "blocked"):
        return "a method is needed with the verdict 'blocked', and allowed only there"
    if (rule.stage == "read") != (rule.verdict == "down"):
        return "the stage 'read' and the verdict 'down' need each other"
    empty = next((k for k in ("condition", "reason", "evidence") if not getattr(rule, k).strip()), "")
    return f"{empty} is empty" if empty else ""


def _check_last(rules: tuple[Rule, ...], surface: str, source: str) -> None:
    """Raise UserError unless the last rule of a surface always holds, so that every run gets a verdict."""
    candidates = [r for r in rules if r.stage == "run" and r.surface in (surface, "both")]
    if not candidates or candidates[-1].condition.strip() != "1":
        raise UserError(f'rules {source}: the last rule for {surface} must have the condition "1"')


def _first_match(rules: list[Rule]) -> str:
    """SQL for the number of the first rule that holds, from 1, and 0 where none does.

    There is one list of rules for each surface, and one for surfaces without rules of their own. To compare the surface
    in every condition would cost more: for each comparison inside AND the engine analyses all inner queries again
    before it runs anything.
    """

    def first(*surfaces: str) -> str:
        conditions = [(f"({r.condition.strip()})", str(n)) for n, r in enumerate(rules, 1) if r.surface in surfaces]
        return _multi_if(conditions, "0") if conditions else "0"

    by_surface = [(f"surface = {_quote(s)}", first(s, "both")) for s in ("web", "app")]
    return _multi_if(by_surface, first("both"))


def _multi_if(pairs: list[tuple[str, str]], otherwise: str) -> str:
    """SQL for the value of the first (condition, value) whose condition holds."""
    cases = [f"{condition},\n        {value.strip()}" for condition, value in pairs]
    return "multiIf(\n    " + ",\n    ".join([*cases, otherwise]) + ")"


def _array(values: Iterable[str]) -> str:
    """An array of strings in SQL."""
    return "[" + ", ".join(_quote(v) for v in values) + "]"


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
