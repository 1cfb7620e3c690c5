"""The name by two paths."""

from __future__ import annotations

from probe.checks import dns
from tests.support.town import FORGED, HOST, WEB


async def test_both_paths_are_reported(context):
    """The system's first; they agree."""
    system, second = await dns.check(context)
    assert (system.via, system.target, system.answers) == ("system", HOST, (WEB,))
    assert (second.via, second.target, second.answers) == ("second", HOST, (WEB,))


async def test_a_forged_answer_stands_beside_the_true_one(context, town):
    """No conclusion is drawn."""
    town.forge(FORGED)
    system, second = await dns.check(context)
    assert (system.failure, system.answers, second.answers) == (None, (FORGED,), (WEB,))


async def test_the_resolution_is_made_once_for_the_run(context):
    """Whoever asks again is given the same steps."""
    assert await dns.check(context) == await dns.check(context)
