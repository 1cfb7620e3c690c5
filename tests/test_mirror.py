"""The tests mirror the source: a folder for each folder, and in it files named after the modules there."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("aggregator", "dashboard", "infra", "probe")
DATA = {".conf", ".csv", ".sql", ".toml"}
"""Files beside modules that have tests of their own."""

ACROSS = {
    "tests/probe/test_privacy_end_to_end.py": "a whole probe, searched for what identifies its line",
}
"""Test files that are of no single module, with what they test instead."""

TESTED_ELSEWHERE = {
    "aggregator/api/routes": "over HTTP, with the whole application, in tests/aggregator/api",
    "infra": "`child.py`: by the real processes that tests/infra/up starts",
    "infra/bench/weight": "a measurement, not a product: `make bench-probe` runs it",
}
"""Folders with modules and without a folder of tests, with the place where they are tested."""


def _folders() -> list[Path]:
    """The source folders that hold modules."""
    return sorted({f.parent for room in ROOMS for f in (ROOT / room).rglob("*.py") if f.name != "__init__.py"})


def _names(folder: Path) -> set[str]:
    """What a test file in the folder's mirror may be named after: the folder, a module, a data file."""
    files = [f for f in folder.iterdir() if f.suffix in {".py", *DATA} and not f.name.startswith("__")]
    return {folder.name, *(f.stem.replace("-", "_") for f in files)}


def test_every_test_file_is_named_after_a_module_beside_its_mirror():
    """`tests/probe/net/test_dns.py` or `test_dns_injected.py` tests `probe/net/dns.py`."""
    wrong = []
    for room in ROOMS:
        for file in sorted((ROOT / "tests" / room).rglob("test_*.py")):
            path = file.relative_to(ROOT).as_posix()
            source = ROOT / file.parent.relative_to(ROOT / "tests")
            if path in ACROSS:
                continue
            if not source.is_dir():
                wrong.append(f"{path}: there is no folder {source.relative_to(ROOT)}")
                continue
            about = file.stem.removeprefix("test_")
            if not any(about == name or about.startswith(f"{name}_") for name in _names(source)):
                wrong.append(f"{path}: {source.relative_to(ROOT)} has nothing of which {about!r} could be a test")
    assert wrong == []


def test_beside_tests_stand_only_fixtures():
    """What tests share is in tests/support."""
    files = [f for room in ROOMS for f in (ROOT / "tests" / room).rglob("*.py")]
    assert [f for f in files if not f.name.startswith("test_") and f.name != "conftest.py"] == []


def test_every_folder_with_modules_has_tests():
    """Or is tested with something else, for a reason that is listed here."""
    missing = [
        path
        for folder in _folders()
        if not list((ROOT / "tests" / (path := folder.relative_to(ROOT).as_posix())).glob("test_*.py"))
        and path not in TESTED_ELSEWHERE
    ]
    assert missing == []


def test_the_lists_of_exceptions_are_true():
    """What they name exists and is still an exception."""
    assert [path for path in ACROSS if not (ROOT / path).is_file()] == []
    listed = {path: ROOT / path for path in TESTED_ELSEWHERE}
    assert [path for path, folder in listed.items() if folder not in _folders()] == []
    assert [path for path in listed if list((ROOT / "tests" / path).glob("test_*.py"))] == []
