"""Setting a probe up: nothing without consent, everything from one line, and gone again when told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import structlog

from probe import panic
from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.cli import main
from probe.custody import withdrawal_delivery
from probe.home import consent, files, notebook
from probe.home import files as home
from probe.home import texts as messages
from probe.home.config import load
from probe.measure import data_use
from probe.owner import ask_network, setup
from probe.owner.service import install
from probe.place import this_network
from probe.place.this_network import Here
from probe.protocol import invite, signed_text, watch_file, withdrawal
from probe.protocol.keys import Key
from tests.support.fake_collector import WATCH
from tests.support.honest_internet import WATCH as TOWN

ROOT = Path(__file__).parents[3]
OPERATOR = Key.create("operator")
HOME = Here("wlan0", "192.168.1.1", "02:00:5e:10:20:30", 0)
PHONE = Here("wlan0", "172.20.10.1", "02:00:5e:10:20:31", 0)
EN, VI = messages.load("en"), messages.load("vi")


@pytest.fixture(autouse=True)
def default_logs():
    """Undo what the command line does to the logs."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A home of one's own, with a fake `systemctl` that writes down what it was told."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    program = bin_ / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("BLOCKONSET_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(this_network, "here", lambda asn=0: HOME._replace(asn=asn))
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def line(place):
    """An invite whose watch lies in a file."""
    raw = WATCH.format(cadence_s=600).replace("fictional = true", "").encode()
    (place / "watch.signed").write_bytes(watch_file.sign(raw, OPERATOR))
    return invite.write(
        invite.Invite(nats=("wss://c.example", "tls://c.example:443"), watch=str(place / "watch.signed")), OPERATOR
    )


def run(capsys, *words):
    """The exit code, stdout and stderr of `blockonset probe …`."""
    try:
        main.main(["probe", *map(str, words)])
    except SystemExit as e:
        code = e.code or 0
    else:
        code = 0
    return code, *capsys.readouterr()


def test_an_invite_says_what_was_put_in_with_the_transports_in_order(line):
    """TLS before the WebSocket; the operator is who signed."""
    found = invite.read(f"  {line[:50]}\n{line[50:]} ")
    assert found.nats == ("tls://c.example:443", "wss://c.example")
    assert found.operator == OPERATOR.id


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t[:-20], "copied whole"),
        (lambda t: t.replace("blockonset1", "blockonset2"), "blockonset1: is needed"),
        (lambda t: t[:30] + ("A" if t[30] != "A" else "B") + t[31:], "damaged"),
        (lambda t: "x" * 9000, "copied whole"),
        (lambda t: "", "copied whole"),
        (lambda _: signed_text.seal("blockonset1", b'{"nats":[],"watch":"w"}', OPERATOR), "length >= 1"),
        (lambda _: signed_text.seal("blockonset1", b'{"nats":["http://x"],"watch":"w"}', OPERATOR), "must begin with"),
        (
            lambda _: signed_text.seal("blockonset1", b'{"nats":["tls://x"],"watch":""}', OPERATOR),
            "where the signed watch",
        ),
        (lambda _: signed_text.seal("blockonset1", b"\xff{", OPERATOR), "invite: "),
    ],
)
def test_a_bad_invite_is_told_from_a_forged_one(line, change, says):
    """Cut, mistyped, from another version, or of no use."""
    with pytest.raises(UserError, match=says):
        invite.read(change(line))


def test_a_forged_invite_has_a_right_checksum_and_a_wrong_signature(line):
    """The checksum is against accidents, the signature against people."""
    import binascii

    what, rest = line.split(":", 1)
    body, proof, _ = rest.split(".")
    other = signed_text.seal("blockonset1", b'{"nats":["tls://evil"],"watch":"w"}', Key.create("operator")).split(":")[
        1
    ]
    text = f"{what}:{other.split('.')[0]}.{proof}"
    with pytest.raises(UserError, match="signature is wrong"):
        invite.read(f"{text}.{binascii.crc32(text.encode()):08x}")
    assert body


@pytest.mark.parametrize("language", ["en", "vi"])
def test_every_text_can_be_filled_in_and_translations_have_the_same_places(language):
    """No text is missing in the English file, and no translation asks for a value that isn't given."""
    import string

    def places(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    texts = messages.load(language).texts
    for section, entries in texts.items():
        for key, text in entries.items():
            assert key in EN.texts[section], (section, key)
            assert places(text) <= places(EN.texts[section][key]), (section, key)


def test_the_language_follows_the_environment_and_falls_back(monkeypatch):
    """vi_VN.UTF-8 is Vietnamese; an unknown one is English; the translation says that it awaits review."""
    monkeypatch.setenv("LC_ALL", "vi_VN.UTF-8")
    assert messages.load().language == "vi"
    assert messages.load("xx").language == "en"
    assert VI.texts["about"]["reviewed"] == "no"
    assert VI.version != EN.version


def test_without_a_terminal_and_without_consent_nothing_is_written(capsys, place, line):
    """The text is shown, its version named, the exit code 2."""
    code, out, err = run(capsys, "setup", line)
    assert code == 2
    assert "What your network operator can see" in out
    assert "tls://c.example:443" in out
    assert f"--accept-risk {EN.version}" in err
    assert not (place / "home").exists()
    assert not (place / "told").exists()


def test_another_version_is_no_consent(capsys, place, line):
    """Who has read an older text, or the other language's, has not read this one."""
    for wrong in ("en-000000000000", VI.version, "yes"):
        code, _, err = run(capsys, "setup", line, "--accept-risk", wrong)
        assert (code, "not the version" in err) == (2, True)
    assert not (place / "home").exists()


def test_with_consent_it_is_set_up_and_can_run(capsys, place, line):
    """Key, watch, configuration and record, private; the projection told; the service only on a yes."""
    code, out, _ = run(capsys, "setup", line, "--accept-risk", EN.version, "--access", "fixed", "--line", "a")
    assert code == 0
    made = sorted(f.name for f in (place / "home").iterdir())
    assert made == ["consent.json", "networks.json", "probe.key", "probe.toml", "watch.signed"]
    assert all(f.stat().st_mode & 0o077 == 0 for f in (place / "home").iterdir())
    settings = load(place / "home" / home.CONFIG, {})
    assert settings.nats == ("tls://c.example:443", "wss://c.example")
    assert settings.vantage.access == "unknown"  # it holds in this network, not everywhere
    known = ask_network.of(place / "home").find(HOME)
    assert (known.access, known.access_how, known.line) == ("fixed", "declared", "a")
    record = consent.read(place / "home")
    assert (record.version, record.sha256, record.how) == (EN.version, EN.digest, "--accept-risk")
    assert "MB a month" in out
    assert "counts for no provider" in out  # this invite names no whoami
    assert Key.load(settings.key_file, "user").id in out
    assert not (place / "told").exists()
    consent.require(place / "home", "", EN)


def test_in_vietnamese_the_vietnamese_text_is_hashed_and_its_state_told(capsys, place, line):
    """The record names the language; setup says that nobody has reviewed the translation."""
    code, out, _ = run(capsys, "setup", line, "--accept-risk", VI.version, "--lang", "vi")
    assert code == 0
    assert "chưa được người bản ngữ kiểm tra" in out
    assert consent.read(place / "home").sha256 == VI.digest
    assert load(place / "home" / home.CONFIG, {}).language == "vi"


def test_a_person_types_the_words_and_anything_else_is_a_no():
    """In so many words."""
    assert consent.ask(EN, "", lambda _: " i AGREE ").how == "typed"
    for said in ("yes", "y", "", "I agree to nothing"):
        with pytest.raises(UserError, match="Nothing was installed"):
            consent.ask(EN, "", lambda _, said=said: said)


def test_a_changed_text_is_asked_about_again(tmp_path, monkeypatch):
    """A record of another text does not run a probe; a broken one neither."""
    with pytest.raises(UserError, match="Nobody has agreed"):
        consent.require(tmp_path, "", EN)
    consent.save(tmp_path, consent.ask(EN, EN.version, None))
    consent.require(tmp_path, "", EN)
    real = messages._read
    monkeypatch.setattr(
        messages, "_read", lambda lang: (t := real(lang)) | {"consent": t["consent"] | {"text": "something else"}}
    )
    with pytest.raises(UserError, match="has changed"):
        consent.require(tmp_path, "", messages.load("en"))
    consent.require(tmp_path, messages.load("en").version, EN)
    (tmp_path / files.CONSENT).write_text("{")
    with pytest.raises(UserError, match="remove it"):
        consent.require(tmp_path, "", EN)


def test_run_refuses_without_consent(capsys, place, line, tmp_path):
    """A configuration made by hand needs accept_risk."""
    run(capsys, "setup", line, "--accept-risk", EN.version)
    (place / "home" / files.CONSENT).unlink()
    code, out, err = run(capsys, "run")
    assert (code, out) == (2, "")
    assert "Nobody has agreed" in err


def test_a_watch_of_another_operator_is_refused(capsys, place, line):
    """The key in the invite is pinned."""
    raw = WATCH.format(cadence_s=600).encode()
    (place / "watch.signed").write_bytes(watch_file.sign(raw, Key.create("operator")))
    code, _, err = run(capsys, "setup", line, "--accept-risk", EN.version)
    assert (code, "not by the operator" in err) == (2, True)
    assert not (place / "home").exists()


def test_the_service_is_written_and_started_on_yes_and_removed_with_everything(capsys, place, line):
    """A systemd user unit; uninstall stops it, removes all files and lists what remains."""
    code, _, _ = run(capsys, "setup", line, "--accept-risk", EN.version, "--service")
    unit = place / "config" / "systemd" / "user" / install.UNIT
    assert code == 0
    assert f"ExecStart={sys.executable} -m probe probe run --config {place}/home/probe.toml" in unit.read_text()
    assert (place / "told").read_text().splitlines() == [
        "--user daemon-reload", f"--user enable --now {install.UNIT}",
    ]  # fmt: skip
    (place / "home" / "mine.txt").write_text("not the probe's")
    assert run(capsys, "uninstall")[0] == 2
    assert unit.exists()
    code, out, _ = run(capsys, "uninstall", "--yes")
    assert code == 0
    assert not unit.exists()
    assert [f.name for f in (place / "home").iterdir()] == ["mine.txt"]
    assert "mine.txt" in out.split("What remains")[1]
    assert f"--user disable --now {install.UNIT}" in (place / "told").read_text()


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_managers_text_is_filled_in_and_well_formed(place, platform):
    """XML that parses, with odd characters in the path."""
    from xml.etree import ElementTree as ET

    found = install.here(platform)
    text = install.text(found, place / "a & b" / "probe.toml")
    assert "%{" not in text
    if platform != "linux":
        words = " ".join(t.text or "" for t in ET.fromstring(text.split("?>", 1)[1]).iter())
        assert "a & b" in words
    else:
        assert f'"{place}/a & b/probe.toml"' in text


def test_pause_and_resume(capsys, place, line):
    """Each is a file that the running probe looks at."""
    run(capsys, "setup", line, "--accept-risk", EN.version)
    directory = place / "home"
    assert run(capsys, "pause", "2h")[0] == 0
    assert notebook.held(directory).startswith("paused until")
    assert notebook.paused(directory, now_ms() + 3 * 3_600_000) is None
    assert run(capsys, "pause")[1].startswith("Paused until you run")
    assert "Measuring continues" in run(capsys, "resume")[1]
    assert "was not paused" in run(capsys, "resume")[1]
    assert run(capsys, "pause", "soon")[0] == 2


def test_a_withdrawal_is_signed_and_waits_where_no_collector_answers(capsys, place, line, monkeypatch):
    """It holds at once, is signed once, and both the command and `status` say that nobody has confirmed it."""
    monkeypatch.setattr(withdrawal_delivery, "_REACH_S", 1.5)
    run(capsys, "setup", line, "--accept-risk", EN.version)
    directory = place / "home"
    file = directory / home.CONFIG
    file.write_text(file.read_text().replace("tls://c.example:443", "tls://127.0.0.1:1").replace("wss://c.example", ""))
    file.write_text(file.read_text().replace(', ""', ""))
    code, out, _ = run(capsys, "withdraw", "--json")
    said = json.loads(out)
    asked = withdrawal.read(said["withdrawal"])
    assert (code, asked.probe) == (0, Key.load(directory / "probe.key", "user").id)
    assert (said["confirmed_ms"], "127.0.0.1:1" in said["error"]) == (None, True)
    assert notebook.held(directory)
    code, out, _ = run(capsys, "withdraw")
    assert said["withdrawal"] in out
    assert "not confirmed it yet" in out
    code, out, _ = run(capsys, "status", "--no-api")
    assert "has not reached the operator" in out
    assert "Start it with" not in out
    code, _, err = run(capsys, "setup", line, "--accept-risk", EN.version)
    assert (code, "a new key" in err) == (2, True)
    forged = signed_text.seal(withdrawal.LABEL, msgspec.json.encode(asked), Key.create("user"))
    with pytest.raises(UserError, match="but about"):
        withdrawal.read(forged)


def test_a_new_network_is_answered_for_by_a_command(capsys, place, line, monkeypatch):
    """Without a terminal by flags, and only where something tells the network from others."""
    run(capsys, "setup", line, "--accept-risk", EN.version)
    known = ask_network.of(place / "home")
    assert known.is_new(HOME)
    assert run(capsys, "network")[0] == 2
    code, out, _ = run(capsys, "network", "--access", "fixed", "--line-kind", "work")
    assert (code, "fixed, work" in out) == (0, True)
    assert (known.find(HOME).line_kind, known.is_new(HOME)) == ("work", False)
    monkeypatch.setattr(this_network, "here", lambda asn=0: Here("tun0", "", "", asn))
    code, _, err = run(capsys, "network", "--access", "fixed")
    assert (code, "nothing tells this network" in err) == (2, True)


def test_a_person_is_asked_for_what_was_not_said_and_a_phone_is_recognised():
    """An empty answer takes what the network looks like; a word that is none is `unknown`."""
    asked = []

    def answer(said):
        return lambda question: asked.append(question) or said.pop(0)

    found = ask_network.ask(EN, answer(["", ""]), PHONE)
    assert (found.access, found.line_kind, found.access_how) == ("mobile", "hotspot", "declared")
    assert "(Enter: mobile)" in asked[0]
    found = ask_network.ask(EN, answer(["fixed", "castle"]), HOME)
    assert (found.access, found.line_kind, found.line_kind_how) == ("fixed", "unknown", "unknown")
    before = len(asked)
    assert ask_network.ask(EN, answer(["Home"]), HOME, ask_network.declared("fixed", "unknown", "a")).line == "a"
    assert len(asked) == before + 1


def test_run_asks_about_a_new_network_once_at_a_terminal(capsys, place, line):
    """And never where nobody is there, or where the configuration says it."""
    run(capsys, "setup", line, "--accept-risk", EN.version)
    settings, asked = load(place / "home" / home.CONFIG, {}), []
    assert not ask_network.offer(settings, EN, None)
    assert ask_network.offer(settings, EN, lambda question: asked.append(question) or "unknown")
    assert "not known yet" in asked[0]
    assert not ask_network.offer(settings, EN, lambda question: asked.append(question) or "fixed")
    assert len(asked) == 2
    (place / "home" / files.NETWORKS).unlink()
    fixed = msgspec.structs.replace(settings, vantage=msgspec.structs.replace(settings.vantage, access="fixed"))
    assert not ask_network.offer(fixed, EN, lambda _: "fixed")


def test_where_networks_cannot_be_told_apart_setup_says_it_in_the_configuration(capsys, place, line, monkeypatch):
    """As on macOS: there it holds everywhere."""
    monkeypatch.setattr(this_network, "here", lambda asn=0: Here("", "", "", asn))
    run(capsys, "setup", line, "--accept-risk", EN.version, "--access", "mobile", "--line-kind", "home", "--line", "b")
    vantage = load(place / "home" / home.CONFIG, {}).vantage
    assert (vantage.access, vantage.line_kind, vantage.line) == ("mobile", "home", "b")
    assert not (place / "home" / files.NETWORKS).exists()


def test_the_projection_grows_with_the_cadence_and_counts_sweeps():
    """Twice as often costs about twice as much; a sweep costs more than a light round."""

    def of(cadence_s):
        return data_use.of(watch_file.read(WATCH.format(cadence_s=cadence_s).encode(), "test"), 1800)

    assert 1.7 < (of(300).day - 48 * 7500) / (of(600).day - 48 * 7500) < 2.1
    assert of(600).sweep >= of(600).round
    assert of(600).rounds_a_day + of(600).sweeps_a_day == pytest.approx(144)


def test_the_projection_counts_quic_where_it_is_tested():
    """In sweeps alone: the name, the control and the contrast where there is one."""
    watch = msgspec.structs.replace(watch_file.read(TOWN.encode(), "test"), cadence_s=600.0)
    without, with_it = (data_use.of(watch, 1800, http3=there) for there in (False, True))
    assert with_it.round == without.round
    assert with_it.sweep - without.sweep == 3 * data_use.QUIC
    assert with_it.day - without.day == pytest.approx(4 * 3 * data_use.QUIC, abs=1)


def test_panic_needs_nothing_but_the_standard_library_and_nothing_in_order(place):
    """A configuration that can't be parsed, no packages: it wipes all the same, and says what it left."""
    directory = place / "home"
    directory.mkdir()
    for name in ("probe.key", "spool.db", "spool.db-wal", "probe.toml", "paused.json", ".state.json.123"):
        (directory / name).write_bytes(b"secret" * 100)
    code = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[1:] = []\n"
    code += "runpy.run_module('probe.panic', run_name='__main__')"
    other = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        env={"BLOCKONSET_HOME": str(directory)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert other.returncode == 0, other.stderr
    assert not directory.exists()
    assert "spool.db-wal" in other.stdout


def test_wiping_overwrites_and_a_link_is_removed_not_followed(tmp_path):
    """What another name points to is not touched; what can't be opened is named."""
    victim, link = tmp_path / "victim", tmp_path / "probe.key"
    victim.write_text("mine")
    link.symlink_to(victim)
    did = panic.panic(tmp_path)
    assert victim.read_text() == "mine"
    assert did.files == (str(link),)
    assert did.left == (str(victim),)
    hard = tmp_path / "hard"
    (tmp_path / "spool.db").write_bytes(b"x" * 3_000_000)
    hard.hardlink_to(tmp_path / "spool.db")
    panic.panic(tmp_path)
    assert hard.read_bytes() == bytes(3_000_000)


def test_setup_fetches_over_http_and_bounds_it(place):
    """A watch from the operator's site; one that isn't there is named."""
    with pytest.raises(UserError, match="can't be fetched"):
        setup.fetch("http://127.0.0.1:1/watch.signed")
    with pytest.raises(UserError, match="can't be fetched"):
        setup.fetch(str(place / "nowhere"))
