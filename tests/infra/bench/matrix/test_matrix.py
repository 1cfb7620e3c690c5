"""The shipped probe on a line of the test bed, and what the shipped rules make of it."""

from __future__ import annotations

import subprocess
import threading
import time

import msgspec
import pytest

from infra.bench.matrix import cases
from infra.bench.matrix.addresses import watch_text
from infra.bench.matrix.namespaces import NamespaceBed
from probe.protocol.measurement import Measurement

CASES = {c.id: c for c in cases.cases()}
WAYS = ["clean", "syn-dropped", "reset-when-open", "host-unreachable", "reset-after-name", "injected", "one-of-five"]
BAD = ["captive-portal-names", "clock-slow", "split-tunnel", "filtering-resolver"]


def short(case):
    """The same with a short timeout: nothing here is slow."""
    return msgspec.structs.replace(case, timeout_s=3.0)


@pytest.mark.parametrize("name", WAYS)
def test_a_way_of_interfering_gets_its_verdict_and_method(bed, court, name):
    """Each run of a case, on both surfaces."""
    result = cases.run(bed, court, short(CASES[name]), 2, 2)
    assert result.right == result.runs == 2, (result.said, result.rules)


@pytest.mark.parametrize("name", BAD)
def test_a_network_that_is_merely_bad_is_never_called_blocked(bed, court, name):
    """Nor does it go without a verdict."""
    result = cases.run(bed, court, short(CASES[name]), 2, 2)
    assert result.blocked == 0, (result.said, result.rules)
    assert all(sum(c.values()) == 2 for c in result.said.values())


def test_a_vpn_that_comes_on_during_a_run_is_a_change(bed, tmp_path):
    """A block makes volunteers switch one on; neither interface nor address is in what is sent."""
    file = tmp_path / "watch.toml"
    file.write_bytes(watch_text("changed", 6.0))
    bed.mode()
    bed.rules("ip daddr @service drop")  # so that runs last for the timeout
    found: list[bytes] = []
    measuring = threading.Thread(target=lambda: found.extend(bed.measure(1, 1, file, sweep=True)))
    log = bed.data / "line.log"
    said = log.stat().st_size if log.exists() else 0
    measuring.start()
    until = time.monotonic() + 60
    while (
        " 02 "
        not in subprocess.run(  # a SYN that waits for its answer: the run is under way
            ["ip", "netns", "exec", bed.line, "cat", "/proc/net/tcp"], capture_output=True, text=True, check=True
        ).stdout
    ):
        assert time.monotonic() < until
        time.sleep(0.1)
    bed.shell("line", "ip route add 0.0.0.0/1 via 10.66.0.1 dev wg0")
    bed.shell("line", "ip route add 128.0.0.0/1 via 10.66.0.1 dev wg0")
    try:
        measuring.join(60)
    finally:
        bed.shell("line", "ip route del 0.0.0.0/1")
        bed.shell("line", "ip route del 128.0.0.0/1")
        bed.rules()
    (run,) = (msgspec.json.decode(line, type=tuple[Measurement, ...]) for line in found)
    assert {(m.vantage.path, m.vantage.changed) for m in run} == {("changed", True)}
    text = log.read_text()[said:]
    assert text.count("these runs count for no provider") == 1
    for sent in (found[0].decode(), text):
        assert not any(word in sent for word in ("wg0", "eth0", "10.64.0", "10.66.0", "2001:db8:64:"))


def test_nothing_is_left_behind(bed, tmp_path):
    """Another bed comes and goes beside this one."""

    def named():
        return subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout

    with NamespaceBed(tmp_path) as other:
        ends = (other.line, other.router, other.world)
        assert all(end in named() for end in ends)
    assert not any(end in named() for end in ends)
    assert bed.line in named()
