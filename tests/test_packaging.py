"""The wheel has everything that the programs read, and works where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("aggregator", "dashboard", "infra", "probe")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built as `pip install .` builds it."""
    directory = tmp_path_factory.mktemp("wheel")
    code = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, directory], cwd=ROOT, check=True, capture_output=True)
    (file,) = directory.glob("*.whl")
    return file


def test_it_has_every_file_of_the_packages(wheel):
    """Modules, SQL, rules, watches, texts, service files; and nothing of the tests."""
    there = {f.relative_to(ROOT).as_posix() for room in ROOMS for f in (ROOT / room).rglob("*") if f.is_file()}
    expected = {name for name in there if "__pycache__" not in name}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {Path(name).suffix for name in expected} >= {".sql", ".toml", ".csv", ".service", ".plist", ".css", ".conf"}
    assert packed == expected


def test_its_packages_are_marked_as_typed(wheel):
    """Each of them, so that type checkers read their annotations (PEP 561)."""
    assert {f"{room}/py.typed" for room in ROOMS} <= set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--help",), "  aggregator  "),
        (("lab", "list"), "staggered"),
        (("watch", "check", "infra/watches/telegram-vn-2025.toml"), "complete and consistent"),
    ],
)
def test_it_runs_where_it_is_unpacked(wheel, tmp_path, words, text):
    """Without the repository: its data files are read from the wheel."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-m", "probe", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert text in run.stdout
    code = "import probe, infra; print(probe.__file__, infra.__file__)"
    files = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True)
    assert files.count(str(tmp_path)) == 2
