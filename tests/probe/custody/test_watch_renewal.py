"""A newer watch is accepted from the operator alone, and only if the volunteer need not agree anew."""

from __future__ import annotations

import msgspec
import pytest

from probe.agent import loading
from probe.agent.probe import Probe
from probe.base import times
from probe.base.errors import UserError
from probe.custody import watch_renewal
from probe.home import files
from probe.home.config import Config
from probe.protocol import watch_file
from probe.protocol.keys import Key
from probe.protocol.watch_file import WatchError
from tests.support.factory import APP_WATCH

OPERATOR = Key.create("operator")
TEXT = APP_WATCH.format(cadence_s=600)
HAVE = watch_file.read(TEXT.encode(), "test")
LATER = ("2099-01-01", "2099-06-01")


def signed(text, key=OPERATOR):
    """A signed watch."""
    return watch_file.sign(text.encode(), key)


@pytest.fixture
def config(tmp_path):
    """A probe whose watch is in place."""
    (tmp_path / "watch.signed").write_bytes(signed(TEXT))
    (tmp_path / "probe").mkdir()
    return Config(
        data=str(tmp_path / "probe"), watch=str(tmp_path / "watch.signed"), operator=OPERATOR.id, nats=("tls://x",)
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([("cadence_s = 600", "cadence_s = 601")], "not later"),
        ([("2099-01-01", "2098-12-31")], "not later"),
        ([LATER, ('id = "test"', 'id = "other"')], "another watch"),
        ([LATER, ('service = "telegram"', 'service = "signal"')], "service"),
        ([LATER, ('country = "XX"', 'country = "YY"')], "country"),
        ([LATER, ("fictional = true", "fictional = false")], "fictional"),
        ([LATER, ("cadence_s = 600", "cadence_s = 300")], "more often"),
    ],
)
def test_a_watch_that_may_not_replace_another_is_refused(changes, says):
    """An older one, another watch, or one that the volunteer would have to agree to anew."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(WatchError, match=says):
        watch_renewal.check(HAVE, watch_file.read(text.encode(), "new"))
    watch_renewal.check(HAVE, watch_file.read(TEXT.replace(*LATER).encode(), "new"))


class Collector:
    """Answers one question."""

    def __init__(self, answer):
        self.answer = answer

    async def request(self, subject, payload, *, timeout_s):
        """The answer, whatever the question."""
        if isinstance(self.answer, Exception):
            raise self.answer
        self.data = self.answer
        return self


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        TimeoutError(),
        ConnectionError(),
        signed(TEXT.replace(*LATER), Key.create("operator")),
        signed(TEXT.replace(*LATER))[:-1] + b"x",
        signed(TEXT),
        b"BO1R" + signed(TEXT.replace(*LATER))[4:],
        signed(TEXT.replace("2099-01-01", "2025-01-01")),
    ],
)
async def test_no_other_answer_is_accepted(config, answer):
    """Another operator's, a damaged or older watch, or no answer: the probe keeps its watch."""
    taken = []
    renewal = watch_renewal.WatchRenewal(config, Key.create("user"), lambda: HAVE, taken.append)
    assert await renewal.do(Collector(answer)) == 1
    assert (taken, watch_renewal.present(config)) == ([], HAVE)


async def test_a_renewed_watch_is_in_force_at_once_and_after_a_restart(config):
    """A configured one that is newer still takes precedence."""
    probe = Probe(config, agent_network(), HAVE)
    renewal = watch_renewal.WatchRenewal(config, Key.create("user"), lambda: probe.watch, probe.renew)
    await renewal.do(Collector(signed(TEXT.replace(*LATER))))
    assert probe.watch.expires == "2099-06-01" == watch_renewal.present(config).expires
    newest = TEXT.replace("2099-01-01", "2099-09-01")
    (watch_renewal.Path(config.watch)).write_bytes(signed(newest))
    assert watch_renewal.present(config).expires == "2099-09-01"


def agent_network():
    """A network that is never used."""
    from probe.net.network import Network
    from tests.support.servers import MappedDialer

    return Network(MappedDialer())


def test_a_renewed_watch_that_was_tampered_with_is_ignored(config):
    """The configured one stays in force."""
    file = watch_renewal.Path(config.data) / files.RENEWED
    file.write_bytes(signed(TEXT.replace(*LATER), Key.create("operator")))
    assert watch_renewal.present(config) == HAVE
    file.write_bytes(b"junk")
    assert watch_renewal.present(config) == HAVE


def test_with_an_expired_watch_the_probe_starts_and_measures_nothing(tmp_path, config):
    """So that it can ask for a newer one. `setup` and `once` refuse an expired watch."""
    (tmp_path / "watch.signed").write_bytes(signed(TEXT.replace("2099-01-01", "2025-01-01")))
    file = tmp_path / "probe.toml"
    file.write_text(f'data = "probe"\nwatch = "watch.signed"\nnats = ["tls://x"]\noperator = "{OPERATOR.id}"\n')
    _, watch = loading.check(file)
    assert watch_renewal.expired(watch)
    with pytest.raises(UserError, match=r"expired on 2025-01-01"):
        watch_renewal.signed_watch(tmp_path / "watch.signed", OPERATOR.id)
    assert not watch_renewal.expired(msgspec.structs.replace(watch, expires=times.today().isoformat()))


def test_a_watch_that_may_not_be_used_is_named(tmp_path):
    """It is missing, not signed, or signed by another key."""
    path = tmp_path / "watch.signed"
    with pytest.raises(UserError, match=r"watch.signed: can't be read"):
        watch_renewal.signed_watch(path, OPERATOR.id)
    path.write_bytes(APP_WATCH.format(cadence_s=1).encode())
    with pytest.raises(UserError, match=r"watch.signed: not a signed watch"):
        watch_renewal.signed_watch(path, OPERATOR.id)
    path.write_bytes(watch_file.sign(APP_WATCH.format(cadence_s=1).encode(), Key.create("operator")))
    with pytest.raises(UserError, match=r"watch.signed: .*not by the operator"):
        watch_renewal.signed_watch(path, OPERATOR.id)
