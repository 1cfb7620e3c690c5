"""A name means one thing in the whole repository."""

from __future__ import annotations

import ast
import collections
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("probe", "aggregator", "dashboard", "infra", "tests")


def modules():
    """Every module's path, relative to the root, and its syntax tree."""
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def test_no_two_classes_share_a_name():
    """Whoever searches for a class finds one. Private classes are private to their module."""
    places = collections.defaultdict(list)
    for path, tree in modules():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path)
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_no_module_or_name_of_ours_is_imported_under_another_name():
    """A name that has to be changed to be used is the wrong name."""
    renamed = [
        f"{path}: {node.module} {alias.name} as {alias.asname}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ROOMS
        for alias in node.names
        if alias.asname
    ]
    assert renamed == []
