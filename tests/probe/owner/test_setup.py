"""Setting a probe up: nothing without consent, and everything from one line."""

from __future__ import annotations

import pytest

from probe.base.errors import UserError
from probe.home import consent, files, texts
from probe.home.config import load
from probe.owner import ask_network, setup
from probe.owner.setup import SetupRequest
from probe.place import this_network
from probe.place.this_network import NetworkState
from probe.protocol import invite, watch_file
from probe.protocol.keys import Key
from tests.support.factory import APP_WATCH
from tests.support.owned_probe import HOME, run_command

EN, VI = texts.load("en"), texts.load("vi")


def test_without_a_terminal_and_without_consent_nothing_is_written(capsys, own_home, invite_line):
    """The text is shown, its version is named, and the exit code is 2."""
    code, out, err = run_command(capsys, "setup", invite_line)
    assert code == 2
    assert "What your network operator can see" in out
    assert "tls://c.example:443" in out
    assert f"--accept-risk {EN.version}" in err
    assert not (own_home / "home").exists()
    assert not (own_home / "told").exists()


def test_another_version_is_no_consent(capsys, own_home, invite_line):
    """Having read an older text, or the other language's, is no consent to this one."""
    for wrong in ("en-000000000000", VI.version, "yes"):
        code, _, err = run_command(capsys, "setup", invite_line, "--accept-risk", wrong)
        assert (code, "not the version" in err) == (2, True)
    assert not (own_home / "home").exists()


def test_with_consent_it_is_set_up_and_can_run(capsys, own_home, invite_line):
    """Key, watch, configuration and record are written privately; no service without a yes."""
    code, out, _ = run_command(
        capsys, "setup", invite_line, "--accept-risk", EN.version, "--access", "fixed", "--line", "a"
    )
    assert code == 0
    made = sorted(f.name for f in (own_home / "home").iterdir())
    assert made == ["consent.json", "networks.json", "probe.key", "probe.toml", "watch.signed"]
    assert all(f.stat().st_mode & 0o077 == 0 for f in (own_home / "home").iterdir())
    settings = load(own_home / "home" / files.CONFIG, {})
    assert settings.nats == ("tls://c.example:443", "wss://c.example")
    assert settings.vantage.access == "unknown"  # it holds in this network, not everywhere
    known = ask_network.known_networks(own_home / "home").find(HOME)
    assert (known.access, known.access_how, known.line) == ("fixed", "declared", "a")
    record = consent.read(own_home / "home")
    assert (record.version, record.sha256, record.how) == (EN.version, EN.digest, "--accept-risk")
    assert "MB a month" in out
    assert "counts for no provider" in out  # this invite names no whoami
    assert Key.load(settings.key_file, "user").id in out
    assert not (own_home / "told").exists()
    consent.require(own_home / "home", "", EN)


def test_in_vietnamese_the_vietnamese_text_is_shown_and_hashed(capsys, own_home, invite_line):
    """The record names the language; setup says that nobody has reviewed the translation."""
    code, out, _ = run_command(capsys, "setup", invite_line, "--accept-risk", VI.version, "--lang", "vi")
    assert code == 0
    assert "chưa được người bản ngữ kiểm tra" in out
    assert consent.read(own_home / "home").sha256 == VI.digest
    assert load(own_home / "home" / files.CONFIG, {}).language == "vi"


def test_run_refuses_without_consent(capsys, own_home, invite_line):
    """A configuration made by hand needs accept_risk."""
    run_command(capsys, "setup", invite_line, "--accept-risk", EN.version)
    (own_home / "home" / files.CONSENT).unlink()
    code, out, err = run_command(capsys, "run")
    assert (code, out) == (2, "")
    assert "Nobody has agreed" in err


def test_a_watch_of_another_operator_is_refused(capsys, own_home, invite_line):
    """Only the operator whose key signed the invite is trusted."""
    raw = APP_WATCH.format(cadence_s=600).encode()
    (own_home / "watch.signed").write_bytes(watch_file.sign(raw, Key.create("operator")))
    code, _, err = run_command(capsys, "setup", invite_line, "--accept-risk", EN.version)
    assert (code, "not by the operator" in err) == (2, True)
    assert not (own_home / "home").exists()


def test_where_networks_cannot_be_identified_setup_writes_the_answer_to_the_configuration(
    capsys, own_home, invite_line, monkeypatch
):
    """As on macOS. There it holds in every network."""
    monkeypatch.setattr(this_network, "current_network", NetworkState)
    run_command(
        capsys,
        "setup",
        invite_line,
        "--accept-risk",
        EN.version,
        "--access",
        "mobile",
        "--line-kind",
        "home",
        "--line",
        "b",
    )
    vantage = load(own_home / "home" / files.CONFIG, {}).vantage
    assert (vantage.access, vantage.line_kind, vantage.line) == ("mobile", "home", "b")
    assert not (own_home / "home" / files.NETWORKS).exists()


def test_any_text_reaches_the_configuration_unchanged(tmp_path, invite_line):
    """Quotes, backslashes, line breaks and characters beyond the first 65,536 of Unicode."""
    text = 'a "b" \\c\n𠮷😀'
    ca_file = tmp_path / 'ca \U0001f600 "x".pem'
    request = SetupRequest(invite_line, tmp_path, None, "", "fixed", "home", text, ca_file)
    known = ask_network.declared("fixed", "home", text)
    file = tmp_path / files.CONFIG
    file.write_text(setup.configuration(invite.read(invite_line), request, known, "en"), encoding="utf-8")
    settings = load(file, {})
    assert (settings.vantage.line, settings.vantage.line_kind, settings.nats_ca) == (text, "home", str(ca_file))


def test_a_watch_that_cannot_be_fetched_is_named(own_home):
    """From the operator's site or from a file."""
    with pytest.raises(UserError, match="can't be fetched"):
        setup.watch_from("http://127.0.0.1:1/watch.signed")
    with pytest.raises(UserError, match="can't be fetched"):
        setup.watch_from(str(own_home / "nowhere"))
