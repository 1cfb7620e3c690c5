"""What `status` shows."""

from __future__ import annotations

from pathlib import Path

import msgspec

from probe import panic
from probe.custody import watch_renewal
from probe.home import files, notebook, texts
from probe.owner import status
from probe.owner.doctor import questions
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.support.factory import APP_WATCH
from tests.support.owned_probe import OPERATOR, probe_config, public_api, watch_of

EN = texts.load("en")


def test_status_says_how_many_lines_are_behind_the_answer(tmp_path, capsys):
    """Computed by the probe: the request asks for all answers and does not identify the probe."""
    answer = {"providers": [
        {"provider": "test-fixed", "name": "Test", "answer": {"lines": 3, "state": "blocked", "more": 1}},
        {"provider": "other", "name": "Other", "answer": None},
    ]}  # fmt: skip
    with public_api(answer) as (url, asked):
        settings = probe_config(tmp_path, api=url)
        found = status.status(settings, watch_of(settings))
        silent = status.status(settings, watch_of(settings), ask_api=False)
    assert "Test: blocked. Lines that this answer is based on, yours among them: 3." in status.in_words(found, EN)
    assert asked[0][0] == "/v1/watches/test/onsets"
    assert Key.load(settings.key_file, "user").id not in str(asked)
    assert silent.behind == ()
    assert len(asked) == 1
    unreached = status.status(msgspec.structs.replace(settings, api="http://127.0.0.1:1"), watch_of(settings))
    assert any("was not looked up" in line for line in status.in_words(unreached, EN))
    assert msgspec.json.decode(msgspec.json.encode(found))["spooled_segments"] == 0


def test_doctor_and_status_report_an_expired_or_renewed_watch(tmp_path):
    """An expired one requires action; after a renewal the newer one counts."""
    settings = probe_config(tmp_path)
    text = APP_WATCH.format(cadence_s=600)
    Path(settings.watch).write_bytes(watch_file.sign(text.replace("2099-01-01", "2025-01-01").encode(), OPERATOR))
    watch, found = questions.watch(settings)
    assert (watch, found.mark, found.values["expires"]) == (None, "bad", "2025-01-01")
    about = status.status(settings, watch_renewal.present(settings), ask_api=False)
    assert "expired on 2025-01-01" in "\n".join(status.in_words(about, EN))
    (Path(settings.data) / files.RENEWED).write_bytes(watch_file.sign(text.encode(), OPERATOR))
    watch, found = questions.watch(settings)
    assert (watch.expires, found.mark) == ("2099-01-01", "ok")
    assert "valid until 2099-01-01" in "\n".join(status.in_words(status.status(settings, watch), EN))


def test_status_reports_a_new_network_while_the_probe_runs(tmp_path, monkeypatch):
    """With the command to run."""
    settings = probe_config(tmp_path)
    notebook.Notebook(Path(settings.data)).note(network_is_new=True)
    monkeypatch.setattr(panic, "running", lambda _: 4711)
    found = status.status(settings, watch_of(settings), ask_api=False)
    assert found.network_is_new
    assert "blockonset probe network" in "\n".join(status.in_words(found, EN))
