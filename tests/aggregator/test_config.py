"""Settings come from the command line, else from the environment, and a wrong one is named."""

from pathlib import Path

import pytest

from aggregator import config
from probe.base.errors import UserError


def test_the_command_line_goes_before_the_environment(monkeypatch):
    """What isn't given in one is taken from the next."""
    monkeypatch.setenv("BLOCKONSET_NATS", "nats://a:1, nats://b:2")
    monkeypatch.setenv("BLOCKONSET_API_PORT", "1234")
    monkeypatch.setenv("BLOCKONSET_WATCH", "a.toml,b.toml")
    found = config.load(api_port=0, store=None, watch=())
    assert found.nats == ("nats://a:1", "nats://b:2")
    assert found.api_port == 0
    assert found.watch == (Path("a.toml"), Path("b.toml"))
    assert found.store.startswith("chdb:///")


@pytest.mark.parametrize(
    ("name", "value"), [("API_PORT", "70000"), ("API_PORT", "http"), ("GATHER_S", "0"), ("STREAM_MAX_BYTES", "1")]
)
def test_a_wrong_setting_is_named(monkeypatch, name, value):
    """The message says which variable it was."""
    monkeypatch.setenv(f"BLOCKONSET_{name}", value)
    with pytest.raises(UserError, match=f"setting {name.lower()} \\(BLOCKONSET_{name}\\)"):
        config.load()
