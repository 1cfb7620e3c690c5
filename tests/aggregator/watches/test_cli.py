"""Watches are checked before they are served, and the store keeps those that were served."""

import json
import subprocess
import sys

import pytest

from aggregator.watches.served import serve
from probe.base.errors import UserError
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.support.factory import WATCH

OPERATOR = Key.create("operator")


def blockonset(*arguments):
    """The result of the command line."""
    return subprocess.run(
        [sys.executable, "-m", "probe", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )


def test_watches_are_served_signed_or_not_and_kept(store, tmp_path):
    """Without files, the watches that the store served before are served."""
    plain, signed = tmp_path / "plain.toml", tmp_path / "signed"
    plain.write_bytes(WATCH)
    signed.write_bytes(watch_file.sign(WATCH.replace(b'"test"', b'"other"'), OPERATOR))
    served = serve(store, [plain, signed], OPERATOR.id)
    assert sorted(served) == ["other", "test"]
    assert serve(store, [], OPERATOR.id) == served
    newer = WATCH.replace(b"cadence_s = 2", b"cadence_s = 3")
    plain.write_bytes(newer)
    assert serve(store, [plain], OPERATOR.id)["test"].cadence_s == 3
    again = serve(store, [], OPERATOR.id)
    assert again["test"].cadence_s == 3
    assert again["test"].digest == watch_file.read(newer, "newer").digest
    assert len(store.read("watch_texts")) == 2


def test_a_watch_that_can_not_be_served_is_named(store, tmp_path):
    """Two files with one id, another operator's file, a broken one and a missing one."""
    a, b = tmp_path / "a.toml", tmp_path / "b.toml"
    a.write_bytes(WATCH)
    b.write_bytes(WATCH)
    with pytest.raises(UserError, match=r"b\.toml.*'test'"):
        serve(store, [a, b], OPERATOR.id)
    a.write_bytes(watch_file.sign(WATCH, Key.create("operator")))
    with pytest.raises(UserError, match=r"a\.toml: signed by O"):
        serve(store, [a], OPERATOR.id)
    a.write_bytes(WATCH.replace(b'access = "fixed"', b'access = "pigeon"'))
    with pytest.raises(UserError, match=r"a\.toml.*pigeon"):
        serve(store, [a], OPERATOR.id)
    with pytest.raises(UserError, match=r"none\.toml: can't be read"):
        serve(store, [tmp_path / "none.toml"], OPERATOR.id)


def test_a_watch_is_signed_checked_and_shown(tmp_path):
    """`check` and `show` accept what `sign` writes."""
    file, key = tmp_path / "w.toml", tmp_path / "operator.key"
    file.write_bytes(WATCH)
    result = blockonset("watch", "sign", file, "--key", key)
    assert result.returncode == 0, result.stderr
    operator = Key.load(key, "operator")
    checked = json.loads(blockonset("watch", "check", tmp_path / "w.signed", "--json").stdout)
    assert (checked["watch"], checked["signer"]) == ("test", operator.id)
    shown = blockonset("watch", "show", tmp_path / "w.signed")
    assert "AS64501" in shown.stdout
    assert "fictional" in shown.stdout


def test_a_bad_watch_is_refused_without_a_traceback(tmp_path):
    """The message names the file and the key, and the exit code is 2."""
    file = tmp_path / "w.toml"
    file.write_bytes(WATCH.replace(b"cadence_s = 2", b'cadence_s = "often"'))
    for command in (["check", file], ["show", file], ["sign", file, "--key", tmp_path / "k"]):
        result = blockonset("watch", *command)
        assert result.returncode == 2
        assert result.stderr.startswith(f"error: watch {file}: ")
        assert "cadence_s" in result.stderr
        assert "Traceback" not in result.stderr
    flipped = bytearray(watch_file.sign(WATCH, OPERATOR))
    flipped[-1] ^= 1
    file.write_bytes(flipped)
    assert "signature" in blockonset("watch", "check", file).stderr
