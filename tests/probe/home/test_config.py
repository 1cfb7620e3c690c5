"""A configuration is read from a file and the environment, and an error names the wrong key."""

import pytest

from probe.base.errors import UserError
from probe.home.config import load
from probe.place.vantage import of_config
from probe.protocol.keys import Key

OPERATOR = Key.create("operator").id
TEXT = f"""
data = "state"
nats = ["tls://collector.example:443", "wss://collector.example"]
operator = "{OPERATOR}"
watch = "/etc/blockonset/watch.signed"
seal_s = 30
[vantage]
asn = 64500
access = "mobile"
line = "kitchen"
"""


@pytest.fixture
def file(tmp_path):
    """A valid configuration file."""
    path = tmp_path / "probe.toml"
    path.write_text(TEXT)
    return path


def test_a_file_is_read_and_its_paths_are_relative_to_it(file):
    """Missing keys have their defaults."""
    config = load(file, {})
    assert config.data == str(file.parent / "state")
    assert config.watch == "/etc/blockonset/watch.signed"
    assert config.key_file == file.parent / "state" / "probe.key"
    assert (config.seal_s, config.receipt_timeout_s) == (30, 60)


def test_the_environment_overrides_the_file(file):
    """Lists are separated by commas; a table's name is part of the variable's."""
    environment = {
        "BLOCKONSET_PROBE_NATS": "nats://127.0.0.1:1, nats://127.0.0.1:2",
        "BLOCKONSET_PROBE_SEAL_S": "2.5",
        "BLOCKONSET_PROBE_VANTAGE_ASN": "64501",
        "BLOCKONSET_DEBUG": "1",
    }
    config = load(file, environment)
    assert config.nats == ("nats://127.0.0.1:1", "nats://127.0.0.1:2")
    assert config.seal_s == 2.5
    assert (config.vantage.asn, config.vantage.access) == (64501, "mobile")


def test_the_environment_is_enough():
    """Without a file, every key comes from the environment."""
    environment = {
        "BLOCKONSET_PROBE_DATA": "/var/lib/blockonset", "BLOCKONSET_PROBE_NATS": "nats://127.0.0.1:1",
        "BLOCKONSET_PROBE_OPERATOR": OPERATOR, "BLOCKONSET_PROBE_WATCH": "w",
    }  # fmt: skip
    assert load(None, environment).data == "/var/lib/blockonset"
    for name in ("DATA", "NATS", "OPERATOR", "WATCH"):
        rest = {k: v for k, v in environment.items() if k != f"BLOCKONSET_PROBE_{name}"}
        with pytest.raises(UserError, match=rf"run blockonset probe setup, or set BLOCKONSET_PROBE_{name} too$"):
            load(None, rest)


def test_without_file_and_variables_no_probe_is_set_up(tmp_path, monkeypatch):
    """The error says where it looked and what to run."""
    monkeypatch.setenv("BLOCKONSET_PROBE_HOME", str(tmp_path))
    message = rf"^no probe is set up here \({tmp_path}/probe.toml does not exist\): run blockonset probe setup$"
    with pytest.raises(UserError, match=message):
        load(None, {"BLOCKONSET_LOG": "debug", "BLOCKONSET_AGGREGATOR_DATA": "x"})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seal_s = 30", "seal_s = 61", r"\$.seal_s"),
        ("seal_s = 30", "seal_s = '30'", r"\$.seal_s"),
        ("seal_s = 30", "seals = 30", r"unknown key seals: did you mean seal_s\?"),
        ("asn = 64500", "asm = 64500", r"unknown key vantage.asm: did you mean vantage.asn\?"),
        ("seal_s = 30", "colour = 30", "unknown key colour$"),
        ('data = "state"', "", "data is missing"),
        ('access = "mobile"', 'access = "wifi"', r"wifi.*\$.vantage.access"),
        ("asn = 64500", "asn = -1", r"\$.vantage.asn"),
        ("asn = 64500", 'asn = 1\nwhoami = "https://x.example/"', "asn or whoami"),
        ("tls://", "tcp://", "nats: 'tcp://"),
        (OPERATOR, OPERATOR[:-1], "operator: "),
        (OPERATOR, Key.create("user").id, "operator: "),
        ("seal_s = 30", "seal_s =", "not a TOML file"),
    ],
)
def test_a_wrong_key_is_named_with_its_file(file, old, new, message):
    """One line names the file, the key and what is wrong."""
    file.write_text(TEXT.replace(old, new))
    with pytest.raises(UserError, match=rf"probe.toml: .*{message}"):
        load(file, {})


def test_a_wrong_variable_is_named(file):
    """Errors in the environment aren't attributed to the file."""
    with pytest.raises(UserError, match="environment BLOCKONSET_PROBE_SPOOL_MB"):
        load(file, {"BLOCKONSET_PROBE_SPOOL_MB": "lots"})


def test_a_missing_file_is_named(tmp_path):
    """With its path and the reason."""
    with pytest.raises(UserError, match=r"none.toml: can't be read: No such file"):
        load(tmp_path / "none.toml", {})


async def test_the_vantage_says_what_was_configured_and_what_is_unknown(file):
    """Configured fields and unknown ones differ in their `*_how`."""
    vantage = await of_config(load(file, {}).vantage)()
    assert (vantage.asn, vantage.asn_how) == (64500, "configured")
    assert (vantage.line, vantage.line_how) == ("kitchen", "configured")
    file.write_text(TEXT.split("[vantage]", maxsplit=1)[0])
    vantage = await of_config(load(file, {}).vantage)()
    assert (vantage.asn_how, vantage.access_how, vantage.line_how) == ("unknown",) * 3
