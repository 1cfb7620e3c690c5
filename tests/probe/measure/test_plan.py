"""What a run tests, and when it is a sweep."""

from __future__ import annotations

import collections
import random

import msgspec

from probe.measure import registry
from probe.measure.plan import EVERYTHING, EXTRA_SWEEPS, PlannerMemory, RunPlan, RunPlanner, endpoint_tries, outcome
from probe.protocol.measurement import Measurement, Step, Vantage
from probe.protocol.watch import Endpoint

FIVE = tuple(
    Endpoint(id=f"dc{n}", address=f"203.0.113.{n}", address6=f"2001:db8::{n}", ports=(80, 443, 5222))
    for n in range(1, 6)
)


def everywhere(_address):
    """A line with both families."""
    return True


def ipv4(address):
    """A line without IPv6."""
    return ":" not in address


def ipv6(address):
    """A line without IPv4."""
    return ":" in address


def light(turn, endpoints=FIVE, has_route=ipv4):
    """The tries of a light run."""
    return [(e.id, *try_) for e, try_ in endpoint_tries(RunPlan(sweep=False, turn=turn), endpoints, has_route)]


def test_a_light_run_has_every_datacentre_once():
    """Over IPv4, whatever the turn."""
    for turn in range(12):
        tries = light(turn)
        assert [t[0] for t in tries] == [e.id for e in FIVE]
        assert all(":" not in t[1] for t in tries)


def test_every_try_of_every_datacentre_has_its_turn():
    """Three ports by two transports: six runs make each try once."""
    seen = collections.Counter(try_ for turn in range(6) for try_ in light(turn))
    assert len(seen) == 5 * 6
    assert set(seen.values()) == {1}


def test_every_run_mixes_transports_and_ports():
    """When a transport or port is cut, a similar share of every run fails, so that runs can be compared."""
    for turn in range(12):
        tries = light(turn)
        transports = collections.Counter(t[3] for t in tries)
        assert min(transports["intermediate"], transports["obfuscated"]) >= 2
        assert {t[2] for t in tries} == {80, 443, 5222}


def test_one_port_alone_still_alternates_transports():
    """As in the lab."""
    alone = tuple(msgspec.structs.replace(e, ports=(443,)) for e in FIVE)
    first, second = ([t[3] for t in light(turn, alone)] for turn in (0, 1))
    assert first == ["intermediate", "obfuscated"] * 2 + ["intermediate"]
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_a_line_with_ipv6_tests_one_datacentre_more_over_it():
    """Each in turn, and in the end with every port and transport."""
    seen = set()
    for turn in range(30):
        four, six = ([t for t in light(turn, has_route=everywhere) if (":" in t[1]) == v6] for v6 in (False, True))
        assert len(four) == 5
        assert [t[0] for t in six] == [f"dc{turn % 5 + 1}"]
        seen.update(six)
    assert len(seen) == 30


def test_a_line_with_ipv6_alone_tests_all_over_it():
    """A line without any route tries IPv4, so that there is something to record."""
    assert [t[1] for t in light(3, has_route=ipv6)] == [e.address6 for e in FIVE]
    assert [t[1] for t in light(3, has_route=lambda _: False)] == [e.address for e in FIVE]


def test_a_sweep_tests_everything_there_is_a_route_to():
    """Sixty connections with both families, thirty with one."""
    assert len(set(endpoint_tries(EVERYTHING, FIVE, everywhere))) == 60
    assert len(set(endpoint_tries(EVERYTHING, FIVE, ipv4))) == 30


class Line:
    """Runs on a clock that is set by hand."""

    def __init__(self, sweep_s=100.0):
        self.now = 0.0
        self.planner = RunPlanner(sweep_s, clock=lambda: self.now, turn=0)

    def run(self, *failed, offline=False, asn=64500):
        """One run a second later in which these targets failed; whether it was a sweep."""
        self.now += 1
        plan = self.planner.plan()
        step = {"op": "exchange", "start_ms": 0.0, "end_ms": 1.0}
        steps = tuple(Step(target=t, address="203.0.113.1:443", failure="eof_error", **step) for t in failed)
        beside = Step(part="control", target="c", failure="network_down" if offline else None, **step)
        m = Measurement(
            watch="w", watch_digest="0" * 64, run_id="0" * 32, surface="app", check="telegram", target="t",
            at_ms=1_800_000_000_000, duration_ms=1.0, steps=(*steps, beside), vantage=Vantage(asn=asn),
            sweep=plan.sweep,
        )  # fmt: skip
        self.planner.learn((m,))
        return plan.sweep


def test_the_first_run_is_a_sweep_and_then_one_in_each_interval():
    """As long as the outcome stays the same."""
    line = Line()
    sweeps = [n for n in range(350) if line.run("dc1")]
    assert sweeps == [0, 100, 200, 300]


def test_a_change_is_followed_by_a_sweep():
    """One, for a failure that begins and for one that ends."""
    line = Line()
    assert [line.run(*dcs) for dcs in ((), (), ("dc1",), ("dc1",), ("dc1",), (), (), ())] == [
        *(True, False, False, True, False, False, True, False)
    ]


def test_a_line_that_flaps_makes_a_limited_number_of_sweeps():
    """Three out of turn at most, then one for each regular sweep."""
    line = Line()
    sweeps = [n for n in range(300) if line.run(*(["dc1"] if n // 2 % 2 else []))]
    assert len([n for n in sweeps if n < 100]) == 1 + EXTRA_SWEEPS
    assert len([n for n in sweeps if 100 <= n < 200]) == 2


def test_being_offline_is_no_change():
    """A run without its control shows nothing; those before and after it are compared."""
    line = Line()
    line.run()
    assert not any([line.run(), line.run("dc1", "dc2", offline=True), line.run(), line.run()])


def test_another_network_is_a_change():
    """As when a laptop moves."""
    line = Line()
    assert [line.run(asn=n) for n in (64500, 64500, 64501, 64501, 64501)] == [True, False, False, True, False]


def test_two_probes_do_not_make_the_same_tries():
    """A fleet spreads over the tries from its first run on."""
    assert len({RunPlanner(100.0).plan().turn for _ in range(20)}) > 10


def test_what_only_sweeps_test_is_not_part_of_the_outcome():
    """Nor are IPv6 and port 80, which fail on lines where all is well."""
    step = {"target": "t", "failure": "eof_error", "start_ms": 0.0, "end_ms": 1.0}
    ours = {"watch": "w", "watch_digest": "0" * 64, "run_id": "0" * 32, "target": "t", "at_ms": 1_800_000_000_000}
    ours |= {"duration_ms": 1.0, "vantage": Vantage(), "surface": "web"}

    ignored = [c.name for c in registry.checks() if not c.triggers_sweep]

    def of(check, **facts):
        return outcome([Measurement(check=check, steps=(Step(**(step | facts)),), **ours)], ignored)

    nothing = outcome([Measurement(check="tls", steps=(), **ours)])
    assert of("tls", op="handshake", address="203.0.113.1:443") != nothing
    assert of("tls", op="handshake", address="[2001:db8::1]:443") == nothing
    assert of("http", op="connect", address="203.0.113.1:80") == nothing
    assert of("sockets", op="resolve") == nothing
    assert of("transfer", op="transfer") == nothing
    assert of("dns", op="resolve", via="system6") == nothing


def test_a_planner_that_goes_on_from_another_ones_memory_plans_the_same():
    """Each run of a probe is planned in a process of its own. The memory passes through JSON."""
    one, handed_over, chance = Line(), Line(), random.Random(1)
    for _ in range(300):
        failed = chance.choice([(), (), ("dc1",), ("dc1", "dc2")])
        assert one.run(*failed) == handed_over.run(*failed)
        memory = msgspec.json.encode(handed_over.planner.memory)
        handed_over.planner = RunPlanner(100.0, clock=lambda: handed_over.now)
        handed_over.planner.restore(msgspec.json.decode(memory, type=PlannerMemory))
    assert one.planner.memory == handed_over.planner.memory
