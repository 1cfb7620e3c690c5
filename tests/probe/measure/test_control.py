"""The control, and whether the line's resolver filters for its users."""

import msgspec
import pytest

from probe.base.clock import Clock
from probe.measure import control
from probe.measure.context import Context
from probe.measure.run import measure
from probe.place.vantage import configured
from probe.protocol.measurement import Vantage
from tests.support.honest_internet import CONTROL
from tests.support.servers import answer

CANARY = "canary.example"


@pytest.mark.parametrize(
    ("replies", "filters"),
    [
        (lambda q: answer(q, "192.0.2.7"), False),
        (lambda q: answer(q, rcode=3), True),
        (answer, True),
        (lambda q: answer(q, "0.0.0.0"), True),
        (None, False),
    ],
)
async def test_a_resolver_that_denies_the_canary_filters_for_its_users(town, network, replies, filters):
    """One that does not answer at all is not known to filter."""
    town.names[CANARY] = ("192.0.2.7",)
    honest = town.honest
    town.system = lambda q: honest(q) if town.asked(q) != CANARY else [(0.0, replies(q))] if replies else []
    with_canary = msgspec.structs.replace(town.watch.control, canary=CANARY)
    watch = msgspec.structs.replace(town.watch, control=with_canary)
    assert await control.filtering(Context(watch, network, Clock())) is filters
    if filters:
        run = await measure(watch, network, configured(Vantage()))
        assert {m.vantage.resolver for m in run} == {"filter"}
        assert not any(s.failure for m in run for s in m.steps if s.target == CONTROL)


async def test_without_a_canary_nothing_is_asked(town, network):
    """Only a name that the watch lists may be resolved."""
    town.system = lambda q: pytest.fail("asked")
    assert not await control.filtering(Context(town.watch, network, Clock()))
