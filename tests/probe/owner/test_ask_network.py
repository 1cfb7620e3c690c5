"""A person answers once about each network."""

from __future__ import annotations

import msgspec

from probe.home import files, texts
from probe.home.config import load
from probe.owner import ask_network
from probe.place import this_network
from tests.support.owned_probe import HOME, PHONE, network_state, run_command

EN = texts.load("en")


def test_a_command_answers_for_a_new_network(capsys, own_home, invite_line, monkeypatch):
    """Without a terminal by options, and only where the network can be identified."""
    run_command(capsys, "setup", invite_line, "--accept-risk", EN.version)
    known = ask_network.known_networks(own_home / "home")
    assert known.is_new(HOME)
    assert run_command(capsys, "network")[0] == 2
    code, out, _ = run_command(capsys, "network", "--access", "fixed", "--line-kind", "work")
    assert (code, "fixed, work" in out) == (0, True)
    assert (known.find(HOME).line_kind, known.is_new(HOME)) == ("work", False)
    monkeypatch.setattr(this_network, "current_network", lambda: network_state("tun0", ""))
    code, _, err = run_command(capsys, "network", "--access", "fixed")
    assert (code, "can't be distinguished" in err) == (2, True)


def test_a_person_is_asked_for_what_is_not_known_and_a_phone_is_recognised():
    """An empty answer accepts the guess; any other word than the offered ones is `unknown`."""
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


def test_run_asks_about_a_new_network_once_at_a_terminal(capsys, own_home, invite_line):
    """Never without a terminal, or where the configuration tells."""
    run_command(capsys, "setup", invite_line, "--accept-risk", EN.version)
    settings, asked = load(own_home / "home" / files.CONFIG, {}), []
    assert not ask_network.offer(settings, EN, None)
    assert ask_network.offer(settings, EN, lambda question: asked.append(question) or "unknown")
    assert "not known yet" in asked[0]
    assert not ask_network.offer(settings, EN, lambda question: asked.append(question) or "fixed")
    assert len(asked) == 2
    (own_home / "home" / files.NETWORKS).unlink()
    fixed = msgspec.structs.replace(settings, vantage=msgspec.structs.replace(settings.vantage, access="fixed"))
    assert not ask_network.offer(fixed, EN, lambda _: "fixed")
