"""A lid that opens, another network: noticed, settled, and measured early."""

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

from probe.agent import agent
from probe.place.network_changes import NetworkChanges, SeenNetwork, differs
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.support.fake_collector import WATCH

ROOT = Path(__file__).parents[3]
HOME = SeenNetwork((("wlan0", "192.168.1.1", "192.168.1.7"),), "02:00:5e:10:20:30")
WORK = SeenNetwork((("wlan0", "10.0.0.1", "10.0.0.7"),), "02:00:5e:10:20:31")
OFFLINE = SeenNetwork((), "")


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
    ],
)
def test_another_network_is_told_from_one_that_is_only_not_heard(before, now, is_other):
    """Two homes with the same addresses differ by their routers."""
    assert differs(before, now) is is_other


class World:
    """A machine whose network and sleep a test decides."""

    def __init__(self):
        self.seen, self.slept = HOME, 0.0
        self.moves = NetworkChanges(
            lambda: self.seen, every_s=0.02, settle_s=(0.02, 0.04), always=lambda: time.monotonic() + self.slept
        )

    async def waits(self, within_s=0.3):
        """What the next move was, or None when none came."""
        try:
            return await asyncio.wait_for(self.moves.wait(), within_s)
        except TimeoutError:
            return None


async def test_a_move_is_told_once_it_has_settled():
    """Away and back is none; two in a row are one."""
    world = World()
    assert await world.waits(0.1) is None
    world.seen = OFFLINE
    assert await world.waits(0.1) is None
    world.seen = HOME
    assert await world.waits(0.1) is None
    world.seen = WORK
    assert await world.waits() == "network"
    assert await world.waits(0.1) is None


async def test_a_lid_that_opens_waits_for_the_network():
    """The clock that goes on in sleep is ahead; the run comes when there is a line again."""
    world = World()
    world.seen, world.slept = OFFLINE, 3600.0
    waiting = asyncio.create_task(world.waits(2.0))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    world.seen = HOME
    assert await waiting == "woke"


async def test_a_network_that_flaps_costs_only_so_many_runs_a_day(monkeypatch):
    """The rest come at their turn."""

    class Flapping:
        async def wait(self):
            await asyncio.sleep(0.005)
            return "network"

    class Counting(asyncio.Event):
        count = 0

        def set(self):
            self.count += 1
            super().set()

    monkeypatch.setattr(agent, "NetworkChanges", Flapping)
    monkeypatch.setattr(agent, "EARLY_A_DAY", 3)
    moved = Counting()
    watching = asyncio.create_task(agent._watch_moves(moved))
    await asyncio.sleep(0.2)
    watching.cancel()
    assert moved.count == 3


async def test_a_move_brings_the_turn_forward_and_not_at_once(monkeypatch):
    """After the least gap; without a move the turn comes at its time."""
    monkeypatch.setattr(agent, "LEAST_GAP_S", 0.2)
    stop, moved = asyncio.Event(), asyncio.Event()
    moved.set()
    started = time.monotonic()
    assert await agent._turn(stop, 30.0, moved)
    assert 0.2 <= time.monotonic() - started < 5
    assert not moved.is_set()
    assert not await agent._turn(stop, 0.1, moved)
    stop.set()
    assert not await agent._turn(stop, 30.0, moved)


ISOLATED = ["unshare", "--map-root-user", "--net", "sh", "-c"]
FIRST = "ip link set lo up && ip link add va type veth peer name vb && ip link set va up && ip link set vb up"
JOIN = """
ip addr flush dev {dev} && ip addr add {net}.7/24 dev {dev} && ip route replace default via {net}.1 dev {dev} \
&& ip neigh replace {net}.1 lladdr {mac} dev {dev} nud permanent
"""
PROBE = """
import asyncio, sys
from pathlib import Path
from probe.agent import agent, daemon, schedule
from probe.home import config
from probe.place import network_changes as moves
from probe.custody import watch_renewal as renewal
from probe.net.network import Network
schedule.FIRST_S = 0.2
moves.EVERY_S, moves.SETTLE_S, agent.LEAST_GAP_S = 0.1, (0.1, 0.3), 0.2
settings = config.load(Path(sys.argv[1]), {})
asyncio.run(daemon.until_told(agent.Probe(settings, Network(), renewal.present(settings))))
"""


def can_isolate():
    """Whether this machine lets us make a network namespace with two interfaces."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    return subprocess.run([*ISOLATED, FIRST], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_a_laptop_that_is_carried_to_another_network_measures_there_at_once(tmp_path):
    """In a namespace without a way out: the run that comes early is of the new network, of which nothing is known."""
    if not can_isolate():
        if os.environ.get("BLOCKONSET_CI"):
            pytest.fail("network namespaces are needed, and CI may not skip this test")
        pytest.skip("network namespaces need Linux with unshare and ip")
    operator, home = Key.create("operator"), tmp_path / "probe"
    (tmp_path / "watch.signed").write_bytes(watch_file.sign(WATCH.format(cadence_s=3000).encode(), operator))
    file = tmp_path / "probe.toml"
    file.write_text(
        f'data = "{home}"\nwatch = "watch.signed"\nnats = ["nats://127.0.0.1:1"]\noperator = "{operator.id}"\n'
        'metered = "no"\nflush_s = 0.1\n[vantage]\nasn = 64500\n'
    )
    (tmp_path / "measure.py").write_text(PROBE)
    Key.load_or_create(home / "probe.key", "user")
    look = (
        f"{sys.executable} -c 'import json,sys; print(json.load(open(sys.argv[1])).get(sys.argv[2]))' {home}/state.json"
    )
    script = f"""
{FIRST}; {JOIN.format(dev="va", net="192.168.1", mac="02:00:5e:10:20:30")}
set -e
runs() {{ {look} runs 2>/dev/null || echo 0; }}
wait_for() {{ n=0; until [ "$(runs)" = "$1" ]; do n=$((n+1)); [ $n -lt 100 ]; sleep 0.2; done; }}
said() {{ {sys.executable} -m probe probe network --data {home} --json "$@" >/dev/null; }}
said --access fixed --line-kind home
PYTHONPATH={ROOT} {sys.executable} {tmp_path}/measure.py {file} >/dev/null & probe=$!
trap "kill $probe; wait $probe" EXIT
wait_for 1
{look} access; {look} network_is_new
{JOIN.format(dev="va", net="10.0.0", mac="02:00:5e:10:20:31")}
wait_for 2
{look} access; {look} network_is_new
"""
    done = subprocess.run(
        [*ISOLATED, script], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "BLOCKONSET_ACCEPT_RISK": ""},
    )  # fmt: skip
    assert done.returncode in (0, 143), done.stderr
    assert done.stdout.split() == ["fixed", "False", "unknown", "True"], done.stderr
    kept = (home / "networks.json").read_text()
    assert json.loads(kept)
    assert "64500" not in kept
    for f in home.iterdir():
        written = f.read_bytes()
        assert not any(word in written for word in (b"192.168.1", b"10.0.0", b"5e:10")), f.name
