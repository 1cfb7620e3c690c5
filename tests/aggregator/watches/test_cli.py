"""Watches are checked before they are served, and the store remembers what it served."""

import json
import subprocess
import sys

import pytest

from aggregator.watches import served as watches
from probe.base.errors import UserError
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.support.aggregators import WATCH

OPERATOR = Key.create("operator")


def blockonset(*arguments):
    """The command as a person runs it."""
    return subprocess.run(
        [sys.executable, "-m", "probe", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )


def test_watches_are_served_signed_or_not_and_remembered(store, tmp_path):
    """A store that is started without files serves what it served before."""
    plain, signed = tmp_path / "plain.toml", tmp_path / "signed"
    plain.write_bytes(WATCH)
    signed.write_bytes(watch_file.sign(WATCH.replace(b'"test"', b'"other"'), OPERATOR))
    served = watches.serve(store, [plain, signed], OPERATOR.id)
    assert sorted(served) == ["other", "test"]
    assert watches.serve(store, [], OPERATOR.id) == served
    newer = WATCH.replace(b"cadence_s = 2", b"cadence_s = 3")
    plain.write_bytes(newer)
    assert watches.serve(store, [plain], OPERATOR.id)["test"].cadence_s == 3
    again = watches.serve(store, [], OPERATOR.id)
    assert again["test"].cadence_s == 3
    assert again["test"].digest == watch_file.read(newer, "newer").digest
    assert len(store.read("watch_texts")) == 2


def test_what_can_not_be_served_is_named(store, tmp_path):
    """A file of another operator, a broken one, one that isn't there, two of one id."""
    a, b = tmp_path / "a.toml", tmp_path / "b.toml"
    a.write_bytes(WATCH)
    b.write_bytes(WATCH)
    with pytest.raises(UserError, match=r"b\.toml.*'test'"):
        watches.serve(store, [a, b], OPERATOR.id)
    a.write_bytes(watch_file.sign(WATCH, Key.create("operator")))
    with pytest.raises(UserError, match=r"a\.toml: signed by O"):
        watches.serve(store, [a], OPERATOR.id)
    a.write_bytes(WATCH.replace(b'access = "fixed"', b'access = "pigeon"'))
    with pytest.raises(UserError, match=r"a\.toml.*pigeon"):
        watches.serve(store, [a], OPERATOR.id)
    with pytest.raises(UserError, match=r"none\.toml: can't be read"):
        watches.serve(store, [tmp_path / "none.toml"], OPERATOR.id)


def test_a_watch_is_signed_checked_and_shown(tmp_path):
    """What `sign` writes, `check` and the probe take."""
    file, key = tmp_path / "w.toml", tmp_path / "operator.key"
    file.write_bytes(WATCH)
    said = blockonset("watch", "sign", file, "--key", key)
    assert said.returncode == 0, said.stderr
    operator = Key.load(key, "operator")
    checked = json.loads(blockonset("watch", "check", tmp_path / "w.signed", "--json").stdout)
    assert (checked["watch"], checked["signer"]) == ("test", operator.id)
    shown = blockonset("watch", "show", tmp_path / "w.signed")
    assert "AS64501" in shown.stdout
    assert "fictional" in shown.stdout


def test_a_bad_watch_is_refused_without_a_traceback(tmp_path):
    """The file and the key are said, and the exit code is 2."""
    file = tmp_path / "w.toml"
    file.write_bytes(WATCH.replace(b"cadence_s = 2", b'cadence_s = "often"'))
    for command in (["check", file], ["show", file], ["sign", file, "--key", tmp_path / "k"]):
        said = blockonset("watch", *command)
        assert said.returncode == 2
        assert said.stderr.startswith(f"error: watch {file}: ")
        assert "cadence_s" in said.stderr
        assert "Traceback" not in said.stderr
    flipped = bytearray(watch_file.sign(WATCH, OPERATOR))
    flipped[-1] ^= 1
    file.write_bytes(flipped)
    assert "signature" in blockonset("watch", "check", file).stderr
