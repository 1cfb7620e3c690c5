"""Settings come from the command line, else from the environment, and an error names the wrong setting."""

from pathlib import Path

import pytest

from aggregator import config
from probe.base.errors import UserError


def test_the_command_line_goes_before_the_environment(monkeypatch):
    """An option that is not given is taken from the environment, else it has its default."""
    monkeypatch.setenv("BLOCKONSET_NATS", "nats://a:1, nats://b:2")
    monkeypatch.setenv("BLOCKONSET_API_PORT", "1234")
    monkeypatch.setenv("BLOCKONSET_WATCH", "a.toml,b.toml")
    settings = config.load(api_port=0, store=None, watch=())
    assert settings.nats == ("nats://a:1", "nats://b:2")
    assert settings.api_port == 0
    assert settings.watch == (Path("a.toml"), Path("b.toml"))
    assert settings.store.startswith("chdb:///")


@pytest.mark.parametrize(
    ("name", "value"), [("API_PORT", "70000"), ("API_PORT", "http"), ("GATHER_S", "0"), ("STREAM_MAX_BYTES", "1")]
)
def test_a_wrong_setting_is_named(monkeypatch, name, value):
    """The message names the environment variable."""
    monkeypatch.setenv(f"BLOCKONSET_{name}", value)
    with pytest.raises(UserError, match=f"setting {name.lower()} \\(BLOCKONSET_{name}\\)"):
        config.load()
