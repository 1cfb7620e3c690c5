"""A withdrawal is signed once and waits until a collector confirms it."""

from __future__ import annotations

import json
import tomllib

import msgspec
import pytest
import tomli_w

from probe.base.errors import UserError
from probe.custody import withdrawal_delivery
from probe.home import files, notebook, texts
from probe.protocol import signed_text, withdrawal
from probe.protocol.keys import Key
from tests.support.owned_probe import run_command

EN = texts.load("en")


def test_a_withdrawal_is_signed_and_waits_where_no_collector_answers(capsys, own_home, invite_line, monkeypatch):
    """It holds at once, is signed once, and both the command and `status` report it as not confirmed."""
    monkeypatch.setattr(withdrawal_delivery, "_REACH_S", 1.5)
    run_command(capsys, "setup", invite_line, "--accept-risk", EN.version)
    directory = own_home / "home"
    file = directory / files.CONFIG
    file.write_text(tomli_w.dumps(tomllib.loads(file.read_text()) | {"nats": ["tls://127.0.0.1:1"]}))
    code, out, _ = run_command(capsys, "withdraw", "--json")
    said = json.loads(out)
    asked = withdrawal.read(said["withdrawal"])
    assert (code, asked.probe) == (0, Key.load(directory / "probe.key", "user").id)
    assert (said["confirmed_ms"], "127.0.0.1:1" in said["error"]) == (None, True)
    assert notebook.held(directory)
    code, out, _ = run_command(capsys, "withdraw")
    assert said["withdrawal"] in out
    assert "not confirmed it yet" in out
    code, out, _ = run_command(capsys, "status", "--no-api")
    assert "has not reached the operator" in out
    assert "Start it with" not in out
    code, _, err = run_command(capsys, "setup", invite_line, "--accept-risk", EN.version)
    assert (code, "a new key" in err) == (2, True)
    forged = signed_text.seal(withdrawal.LABEL, msgspec.json.encode(asked), Key.create("user"))
    with pytest.raises(UserError, match="but about"):
        withdrawal.read(forged)
