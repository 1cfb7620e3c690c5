"""Settings come from the command line, else the environment, else a file; an error names the wrong one."""

from pathlib import Path

import pytest

from aggregator.config import load, store_dsn
from probe.base.errors import UserError

TEXT = """
data = "state"
nats = ["nats://file:1"]
watch = ["a.toml", "/etc/b.toml"]
api_port = 1
gather_s = 2
"""
VARIABLE = "BLOCKONSET_AGGREGATOR_"


@pytest.fixture
def file(tmp_path):
    """A valid configuration file."""
    path = tmp_path / "aggregator.toml"
    path.write_text(TEXT)
    return path


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(file):
    """An option that is not given is taken from the next place."""
    environment = {f"{VARIABLE}NATS": "nats://a:1, nats://b:2", f"{VARIABLE}API_PORT": "2", "BLOCKONSET_LOG": "debug"}
    settings = load(file, environment, api_port=0, store=None, watch=())
    assert settings.nats == ("nats://a:1", "nats://b:2")
    assert settings.api_port == 0
    assert settings.gather_s == 2
    assert load(file, environment).api_port == 2
    assert load(file, {}).api_port == 1


def test_paths_in_a_file_are_relative_to_it_and_others_to_where_the_command_runs(file, monkeypatch, tmp_path):
    """The store and the keys are in `data` unless they are named."""
    settings = load(file, {})
    assert settings.watch == (file.parent / "a.toml", Path("/etc/b.toml"))
    assert settings.store == f"chdb://{file.parent}/state/store"
    assert settings.key == file.parent / "state" / "aggregator.key"
    assert settings.operator_key == file.parent / "state" / "operator.key"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = load(None, {f"{VARIABLE}WATCH": "a.toml,b.toml"}, data=Path("here"), key=Path("own.key"))
    assert settings.store == f"chdb://{elsewhere}/here/store"
    assert (settings.key, settings.operator_key) == (Path("own.key"), elsewhere / "here" / "operator.key")
    assert settings.watch == (Path("a.toml"), Path("b.toml"))
    assert list(elsewhere.iterdir()) == []


def test_a_variable_names_the_file(file):
    """An option names another."""
    environment = {f"{VARIABLE}CONFIG": str(file)}
    assert load(None, environment).nats == ("nats://file:1",)
    other = file.with_name("other.toml")
    other.write_text(TEXT.replace("file:1", "other:1"))
    assert load(other, environment).nats == ("nats://other:1",)


def test_without_a_place_for_the_store_and_the_keys_the_option_is_named():
    """Nothing is written to the current directory unasked."""
    with pytest.raises(UserError, match=rf"setting store is missing: give --data DIR.*{VARIABLE}DATA.*--store$"):
        load(None, {})
    with pytest.raises(UserError, match=r"setting operator_key is missing: give --data DIR.*--operator-key$"):
        load(None, {}, store="chdb:///s", key=Path("k"))
    settings = load(None, {}, store="chdb:///s", key=Path("k"), operator_key=Path("o"))
    assert (settings.store, settings.data) == ("chdb:///s", None)


def test_a_command_that_needs_the_store_alone_needs_no_keys(file):
    """From wherever it is given."""
    assert store_dsn(None, {}, store="chdb:///s") == "chdb:///s"
    assert store_dsn(file, {}) == f"chdb://{file.parent}/state/store"
    assert store_dsn(file, {f"{VARIABLE}STORE": "http://host/db"}) == "http://host/db"
    with pytest.raises(UserError, match="--data DIR"):
        store_dsn(None, {})


@pytest.mark.parametrize(
    ("name", "value"), [("API_PORT", "70000"), ("API_PORT", "http"), ("GATHER_S", "0"), ("STREAM_MAX_BYTES", "1")]
)
def test_a_wrong_variable_is_named(name, value):
    """The message names the environment variable."""
    with pytest.raises(UserError, match=f"^environment {VARIABLE}{name}: "):
        load(None, {f"{VARIABLE}{name}": value})


def test_a_wrong_option_is_named():
    """As it is written on the command line."""
    with pytest.raises(UserError, match=r"^--api-port: "):
        load(None, {}, api_port=70000)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("api_port = 1", "api_port = 70000", r"\$.api_port"),
        ("api_port = 1", "api_port = '1'", r"\$.api_port"),
        ("api_port = 1", "api_prt = 1", r"unknown key api_prt: did you mean api_port\?"),
        ("gather_s = 2", "gather_s =", "not a TOML file"),
        ('data = "state"', "", "setting store is missing: .*--data DIR"),
    ],
)
def test_a_wrong_key_is_named_with_its_file(file, old, new, message):
    """One line names the file, the key and what is wrong."""
    file.write_text(TEXT.replace(old, new))
    with pytest.raises(UserError, match=rf"^config {file}: .*{message}"):
        load(file, {})


def test_a_missing_file_is_named(tmp_path):
    """With its path and the reason."""
    with pytest.raises(UserError, match=r"none.toml: can't be read: No such file"):
        load(tmp_path / "none.toml", {})
