"""The shipped probe on the test bed, and how the shipped rules judge its runs."""

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
INTERFERENCE = [
    "clean",
    "syn-dropped",
    "reset-when-open",
    "host-unreachable",
    "reset-after-name",
    "injected",
    "one-of-five",
]
BAD = ["captive-portal-names", "clock-slow", "split-tunnel", "filtering-resolver"]


def short(case):
    """The case with a short timeout: nothing here is slow."""
    return msgspec.structs.replace(case, timeout_s=3.0)


@pytest.mark.parametrize("name", INTERFERENCE)
def test_interference_gets_its_verdict_and_method(bed, judge, name):
    """All runs of a case, on both surfaces."""
    result = cases.run(bed, judge, short(CASES[name]), 2, 2)
    assert result.right == result.runs == 2, (result.verdicts, result.rules)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_network_is_never_called_blocked(bed, judge, name):
    """And every run gets a verdict."""
    result = cases.run(bed, judge, short(CASES[name]), 2, 2)
    assert result.blocked == 0, (result.verdicts, result.rules)
    assert all(sum(c.values()) == 2 for c in result.verdicts.values())


def test_a_vpn_that_comes_on_during_a_run_is_a_change(bed, tmp_path):
    """Volunteers switch one on when they meet a block. Neither interface names nor addresses are sent."""
    file = tmp_path / "watch.toml"
    file.write_bytes(watch_text("changed", 6.0))
    bed.set_mode()
    bed.set_rules("ip daddr @service drop")  # so that a run lasts until the timeout
    lines: list[bytes] = []
    measuring = threading.Thread(target=lambda: lines.extend(bed.measure(1, 1, file, sweep=True)))
    log = bed.data / "near_side.log"
    log_start = log.stat().st_size if log.exists() else 0
    measuring.start()
    deadline = time.monotonic() + 60
    while (
        " 02 "
        not in subprocess.run(  # a connection in SYN_SENT: the run has begun
            ["ip", "netns", "exec", bed.near_side, "cat", "/proc/net/tcp"], capture_output=True, text=True, check=True
        ).stdout
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    bed.shell("near_side", "ip route add 0.0.0.0/1 via 10.66.0.1 dev wg0")
    bed.shell("near_side", "ip route add 128.0.0.0/1 via 10.66.0.1 dev wg0")
    try:
        measuring.join(60)
    finally:
        bed.shell("near_side", "ip route del 0.0.0.0/1")
        bed.shell("near_side", "ip route del 128.0.0.0/1")
        bed.set_rules()
    (run,) = (msgspec.json.decode(line, type=tuple[Measurement, ...]) for line in lines)
    assert {(m.vantage.path, m.vantage.changed) for m in run} == {("changed", True)}
    text = log.read_text()[log_start:]
    assert text.count("these runs count for no provider") == 1
    for sent in (lines[0].decode(), text):
        assert not any(word in sent for word in ("wg0", "eth0", "10.64.0", "10.66.0", "2001:db8:64:"))


def test_nothing_is_left_behind(bed, tmp_path):
    """The namespaces of a second test bed are removed, and those of the first one stay."""

    def namespaces():
        return subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout

    with NamespaceBed(tmp_path) as other:
        names = (other.near_side, other.router, other.far_side)
        assert all(name in namespaces() for name in names)
    assert not any(name in namespaces() for name in names)
    assert bed.near_side in namespaces()
