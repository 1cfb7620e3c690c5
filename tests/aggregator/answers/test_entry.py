"""The entries of a watch's providers."""

import msgspec
import pytest

from aggregator.answers.entry import counts, entries, headline
from aggregator.inference.answer.answer import Interval
from tests.support import lab_country

WATCH = lab_country.watch()
DAYS = (
    '[[directive.dates]]\nkind = "issued"\nvalue = "2026-05-01"\nprecision = "day"\ntimezone = "Asia/Ho_Chi_Minh"\n'
    '[[directive.dates]]\nkind = "report_by"\nvalue = "2026-05-03"\nprecision = "day"\n'
    'timezone = "Asia/Ho_Chi_Minh"\nbound = "{bound}"\n'
)


def at(seconds, width=0.0, surface="app", **changes):
    """An answer about Brindlewick with an onset around a time after ZERO."""
    start, end = (lab_country.ZERO_MS + round((seconds + s * width) * 1000) for s in (-0.5, 0.5))
    onset = Interval(estimate=_text((start + end) // 2), earliest=_text(start), latest=_text(end), level=0.95)
    return lab_country.answer("brindlewick-fixed", surface=surface, onset=onset, **changes)


def _text(ms):
    from probe.base import times

    return times.text(ms)


def entry(*answers, watch=WATCH):
    """The entry of Brindlewick, whose answers these are."""
    return entries(watch, {(a.provider, a.surface): a for a in answers})[0]


def test_all_providers_are_listed():
    """Providers without any measurement are there, with no answer."""
    found = entries(WATCH, {})
    assert [e.provider for e in found] == list(lab_country.KINDS)
    assert {e.answer for e in found} == {None}
    assert counts(found).unmeasured == len(lab_country.KINDS)


def test_the_headline_is_the_earliest_block():
    """Of two surfaces that are blocked the earlier one is shown for the provider, and named."""
    one = entry(at(50), at(40, surface="web"))
    assert (one.surface, one.answer.surface) == ("web", "web")
    assert set(one.surfaces) == {"app", "web"}


def test_a_block_before_measuring_ranks_before_any_onset():
    """A surface that never worked since measuring began was blocked earlier than one that stopped."""
    before = lab_country.answer("jessamy-mobile", surface="web")
    assert headline({"app": at(5), "web": before}) is before


@pytest.mark.parametrize("state", ["reachable", "insufficient"])
def test_a_block_ranks_before_a_suspicion_and_that_before_all_else(state):
    """A later block ranks before an earlier suspicion, which ranks before any other state."""
    suspected = at(20, surface="web", state="suspected")
    calm = lab_country.answer("kittering-fixed", state=state)
    assert headline({"app": at(90), "web": suspected}).state == "blocked"
    assert headline({"app": calm, "web": suspected}) is suspected


def test_without_any_block_the_surface_with_more_data_is_shown():
    """Where nothing is blocked the better measured surface is shown."""
    little = lab_country.answer("kittering-fixed", used=3)
    much = lab_country.answer("kittering-fixed", surface="web", used=300)
    assert headline({"app": little, "web": much}) is much


def test_the_lag_spans_what_date_and_interval_can_mean():
    """From the order's latest instant to the interval's earliest, and from its earliest to the interval's latest."""
    lag = entry(at(24, width=4)).lag
    assert (lag.earliest, lag.latest, lag.estimate) == (11.0, 16.0, (13.0, 14.0))


def test_an_order_known_to_the_day_gives_a_range():
    """1 May in Hanoi began at 17:00 UTC the day before: 10:00 UTC is 17 h after its start, 7 h before its end."""
    lag = entry(at(0), watch=lab_country.watch(dates=DAYS.format(bound="inclusive"))).lag
    assert (lag.earliest, lag.latest, lag.estimate) == (-7 * 3600, 17 * 3600, (-7 * 3600, 17 * 3600))


@pytest.mark.parametrize(("seconds", "before"), [(70, True), (75.5, None), (80, False)])
def test_before_or_after_the_deadline_or_unknown(seconds, before):
    """An interval that includes the deadline lies on neither side of it."""
    deadline = entry(at(seconds, width=4)).deadline
    assert (deadline.kind, deadline.before) == ("block_by", before)
    assert deadline.limit == "2026-05-01T10:01:15.000Z"


@pytest.mark.parametrize(("bound", "limit"), [("exclusive", "2026-05-02T17:00"), ("inclusive", "2026-05-03T17:00")])
def test_a_day_ends_as_its_wording_says(bound, limit):
    """An exclusive day's limit is its beginning, an inclusive day's its end, in its own time zone."""
    deadline = entry(at(24), watch=lab_country.watch(dates=DAYS.format(bound=bound))).deadline
    assert deadline.kind == "report_by"
    assert deadline.limit.startswith(limit)


def test_an_onset_open_to_the_past_is_never_after_the_deadline():
    """What was blocked before measuring began may have been so at any earlier time."""
    censored = Interval(estimate=None, earliest=None, latest=at(90).onset.latest, level=0.95)
    one = entry(msgspec.structs.replace(at(90), onset=censored, state="blocked_since_before_start"))
    assert one.deadline.before is None
    assert one.lag.earliest is None


def test_without_dates_there_is_no_lag_and_no_deadline():
    """A watch whose order has no date gives neither lag nor deadline."""
    one = entry(at(24), watch=lab_country.watch(dates=""))
    assert one.lag is None
    assert one.deadline is None


def test_the_counts_add_up_to_the_providers():
    """Every provider is counted once by its state."""
    answers = {(p, "app"): lab_country.answer(p) for p, kind in lab_country.KINDS.items() if kind[4]}
    n = counts(entries(WATCH, answers))
    assert n.stopped + n.already + n.suspected + n.no_block + n.insufficient + n.unmeasured == n.providers == 12
    assert (n.stopped, n.lifted, n.after_deadline, n.astride_deadline) == (7, 1, 1, 1)
