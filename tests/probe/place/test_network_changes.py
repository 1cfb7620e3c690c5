"""Waking up and changing the network are noticed, and bring the next run forward."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probe.place.network_changes import NetworkChanges, differs
from probe.place.rtnetlink import Route
from probe.place.this_network import NetworkState
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.support.factory import APP_WATCH

ROOT = Path(__file__).parents[3]
HOME = NetworkState((Route(4, "wlan0", "192.168.1.1", "192.168.1.7"),), "02:00:5e:10:20:30")
WORK = NetworkState((Route(4, "wlan0", "10.0.0.1", "10.0.0.7"),), "02:00:5e:10:20:31")
OFFLINE = NetworkState()


def with_ipv6(source):
    """At home, with this IPv6 address too."""
    return HOME._replace(routes=(*HOME.routes, Route(6, "wlan0", "fe80::1", source)))


@pytest.mark.parametrize(
    ("before", "now", "is_other"),
    [
        (HOME, HOME, False),
        (HOME, WORK, True),
        (HOME, HOME._replace(gateway_mac=WORK.gateway_mac), True),
        (HOME, HOME._replace(gateway_mac=""), False),
        (HOME._replace(gateway_mac=""), HOME, False),
        (HOME, OFFLINE, False),
        (OFFLINE, HOME, True),
        (with_ipv6("2001:db8:1::7"), with_ipv6("2001:db8:1::8"), False),
        (with_ipv6("2001:db8:1::7"), with_ipv6("2001:db8:2::7"), True),
    ],
)
def test_another_network_is_distinguished_from_one_that_is_not_fully_known(before, now, is_other):
    """Two homes with the same addresses differ by their routers. The host part of IPv6 addresses changes daily."""
    assert differs(before, now) is is_other


class Machine:
    """A machine whose network and sleep a test decides."""

    def __init__(self):
        self.network, self.slept_s = HOME, 0.0
        self.changes = NetworkChanges(
            lambda: self.network,
            every_s=0.02,
            settle_s=(0.02, 0.04),
            steady_clock=lambda: time.monotonic() + self.slept_s,
        )

    async def next_change(self, within_s=0.3):
        """The next change, or None when there was none."""
        try:
            return await asyncio.wait_for(self.changes.wait(), within_s)
        except TimeoutError:
            return None


async def test_a_change_is_reported_once_it_has_settled():
    """Offline and back is no change; a change is reported once."""
    machine = Machine()
    assert await machine.next_change(0.1) is None
    machine.network = OFFLINE
    assert await machine.next_change(0.1) is None
    machine.network = HOME
    assert await machine.next_change(0.1) is None
    machine.network = WORK
    assert await machine.next_change() == "network"
    assert await machine.next_change(0.1) is None


async def test_waking_up_is_reported_once_there_is_a_network():
    """The clock that runs during sleep is ahead; the early run waits until the machine is online."""
    machine = Machine()
    machine.network, machine.slept_s = OFFLINE, 3600.0
    waiting = asyncio.create_task(machine.next_change(2.0))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    machine.network = HOME
    assert await waiting == "woke"


ISOLATED = ["unshare", "--map-root-user", "--net", "sh", "-c"]
FIRST = "ip link set lo up && ip link add va type veth peer name vb && ip link set va up && ip link set vb up"
JOIN = """
ip addr flush dev {dev} && ip addr add {net}.7/24 dev {dev} && ip route replace default via {net}.1 dev {dev} \
&& ip neigh replace {net}.1 lladdr {mac} dev {dev} nud permanent
"""
PROBE = """
import asyncio, sys
from pathlib import Path
from probe.agent import daemon, early_runs, schedule
from probe.agent.probe import Probe
from probe.home import config
from probe.place import network_changes
from probe.custody import visits, watch_renewal
from probe.net.network import Network
schedule.FIRST_S = 0.2
visits.AFTER_RUN_S, visits._CONNECT_S = 0.1, 0.5
network_changes.EVERY_S, network_changes.SETTLE_S, early_runs.LEAST_GAP_S = 0.1, (0.1, 0.3), 0.2
settings = config.load(Path(sys.argv[1]), {})
asyncio.run(daemon.run_until_signal(Probe(settings, Network(), watch_renewal.present(settings))))
"""


def can_isolate():
    """Whether this machine lets us make a network namespace with two interfaces."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    return subprocess.run([*ISOLATED, FIRST], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_a_laptop_in_another_network_measures_there_at_once(tmp_path):
    """In an isolated namespace: the early run is of the new network, of which nothing is known."""
    if not can_isolate():
        if os.environ.get("BLOCKONSET_CI"):
            pytest.fail("network namespaces are needed, and CI may not skip this test")
        pytest.skip("network namespaces need Linux with unshare and ip")
    operator, home = Key.create("operator"), tmp_path / "probe"
    (tmp_path / "watch.signed").write_bytes(watch_file.sign(APP_WATCH.format(cadence_s=3000).encode(), operator))
    file = tmp_path / "probe.toml"
    file.write_text(
        f'data = "{home}"\nwatch = "watch.signed"\nnats = ["nats://127.0.0.1:1"]\noperator = "{operator.id}"\n'
        'metered = "no"\nflush_s = 0.1\n[vantage]\nasn = 64500\n'
    )
    (tmp_path / "measure.py").write_text(PROBE)
    Key.load_or_create(home / "probe.key", "user")
    read = (
        f"{sys.executable} -c 'import json,sys; print(json.load(open(sys.argv[1])).get(sys.argv[2]))' {home}/state.json"
    )
    script = f"""
{FIRST}; {JOIN.format(dev="va", net="192.168.1", mac="02:00:5e:10:20:30")}
set -e
runs() {{ {read} runs 2>/dev/null || echo 0; }}
wait_for() {{ n=0; until [ "$(runs)" = "$1" ]; do n=$((n+1)); [ $n -lt 100 ]; sleep 0.2; done; }}
answer() {{ {sys.executable} -m probe probe network --data {home} --json "$@" >/dev/null; }}
answer --access fixed --line-kind home
PYTHONPATH={ROOT} {sys.executable} {tmp_path}/measure.py {file} >/dev/null & probe=$!
trap "kill $probe; wait $probe" EXIT
wait_for 1
{read} access; {read} network_is_new
{JOIN.format(dev="va", net="10.0.0", mac="02:00:5e:10:20:31")}
wait_for 2
{read} access; {read} network_is_new
"""
    done = subprocess.run(
        [*ISOLATED, script], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "BLOCKONSET_PROBE_ACCEPT_RISK": ""},
    )  # fmt: skip
    assert done.returncode in (0, 143), done.stderr
    assert done.stdout.split() == ["fixed", "False", "unknown", "True"], done.stderr
    kept = (home / "networks.json").read_text()
    assert json.loads(kept)
    assert "64500" not in kept
    for f in home.iterdir():
        written = f.read_bytes()
        assert not any(word in written for word in (b"192.168.1", b"10.0.0", b"5e:10")), f.name
