"""Sentences have the right numbers, and state effects and never intents."""

import pytest

from aggregator.answers import sentences
from aggregator.answers.entry import entries
from aggregator.inference.answer.answer import Interval, LagRange
from tests.support import lab_country

WATCH = lab_country.watch()
REPORT = lab_country.watch(
    zone="Asia/Ho_Chi_Minh",
    dates='[[directive.dates]]\nkind = "issued"\nvalue = "2026-04-26"\nprecision = "day"\n'
    'timezone = "Asia/Ho_Chi_Minh"\n'
    '[[directive.dates]]\nkind = "report_by"\nvalue = "2026-05-08"\nprecision = "day"\n'
    'timezone = "Asia/Ho_Chi_Minh"\n',
)


def headline(*providers, watch=WATCH, **changes):
    """The headline when these providers have their answers, and nobody else."""
    answers = {(p, "app"): lab_country.answer(p, **changes) for p in providers}
    return sentences.headline(watch, [e for e in entries(watch, answers) if e.provider in providers])


def sentence(provider, watch=WATCH, **changes):
    """One provider's sentence."""
    found = entries(watch, {(provider, "app"): lab_country.answer(provider, **changes)})
    return sentences.sentence(watch, next(e for e in found if e.provider == provider))


def test_the_headline_of_a_whole_country():
    """Every state has its clause, in a fixed order, and providers without measurements are named."""
    answers = {(p, "app"): lab_country.answer(p) for p, kind in lab_country.KINDS.items() if kind[4]}
    assert sentences.headline(WATCH, entries(WATCH, answers)) == (
        "Of 11 providers measured, Papergull stopped working on 7 (works again on 1), the first 14 s after the order, "
        "1 after the deadline, 1 too close to the deadline to tell; already not working when measuring began on 1; "
        "suspected on 1; no block seen on 1; 1 not measured enough; not measured at all: Mossend."
    )


def test_one_provider_gets_the_singular():
    """With one provider there is no plural, no "first" and no "all"."""
    assert headline("brindlewick-fixed") == (
        "Of 1 provider measured, Papergull stopped working on 1, 14 s after the order, before the deadline."
    )


def test_all_on_one_side_of_the_deadline():
    """Where all onsets lie on one side of the deadline, the headline says so."""
    assert headline("brindlewick-fixed", "caskenway-fixed").endswith(
        "the first 14 s after the order, all before the deadline."
    )
    assert headline("hobsquay-mobile").endswith("84 s after the order, after the deadline.")


def test_where_nothing_stopped_the_service_is_named_too():
    """Without any block the headline still names the service and what was measured."""
    assert headline("kittering-fixed", "larkwater-mobile") == (
        "Of 2 providers measured for Papergull, no block seen on 1; 1 not measured enough."
    )


def test_a_suspicion_is_no_block():
    """A suspected provider is not among those on which the service stopped."""
    assert headline("inchbarrow-fixed") == "Of 1 provider measured for Papergull, suspected on 1."


def test_before_any_measurement():
    """Without any answer the headline says that nothing was measured."""
    assert (
        sentences.headline(WATCH, entries(WATCH, {})) == "None of the 12 providers of this watch has been measured yet."
    )


def test_many_unmeasured_are_counted_rather_than_named():
    """More than four names would make the sentence too long."""
    answers = {("brindlewick-fixed", "app"): lab_country.answer("brindlewick-fixed")}
    assert sentences.headline(WATCH, entries(WATCH, answers)).endswith("; 11 not measured at all.")


def test_a_reporting_date_is_not_called_a_deadline():
    """A `report_by` is called the reporting date, and an order known to the day gives a range of lags."""
    assert headline("brindlewick-fixed", watch=REPORT) == (
        "Of 1 provider measured, Papergull stopped working on 1, 4 d 17 h to 5 d 17 h after the order, "
        "before the reporting date."
    )


def test_a_sentence_gives_interval_local_time_bracket_and_evidence():
    """The sentence has what a report needs, in UTC and in local time."""
    assert sentence("brindlewick-fixed", REPORT) == (
        "Papergull (app) stopped working on Brindlewick between 10:00:23 and 10:00:25 UTC on 1 May 2026 "
        "(17:00:23 to 17:00:25 local time, UTC+7; 95 %), 4 d 17 h to 5 d 17 h after the order, before the reporting "
        "date. Last success 10:00:23 UTC, first failure 10:00:25 UTC. 225 measurements from 3 probes on 3 lines."
    )


def test_a_lift_follows_the_block():
    """A lifted block has the interval of its end."""
    assert "It began to work again between 10:01:49 and 10:01:52 UTC on 1 May 2026" in sentence("fennimore-mobile")


def test_what_was_blocked_before_has_no_onset():
    """Left-censored: no success was ever seen, so only the latest possible time is given."""
    text = sentence("jessamy-mobile")
    assert text.startswith(
        "Papergull (app) was already not working on Jessamy when measuring began: not since 10:00:01"
    )
    assert "stopped working" not in text


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("inchbarrow-fixed", "may have stopped working on Inchbarrow"),
        ("inchbarrow-fixed", "p = 0.74"),
        ("kittering-fixed", "No block of Papergull (app) seen on Kittering."),
        ("larkwater-mobile", "has not been measured enough on Larkwater. 75 measurements from 1 probe on 1 line."),
        ("gallowmere-fixed", "too close to the deadline to tell whether before it"),
    ],
)
def test_every_state_has_its_sentence(provider, expected):
    """Suspicion, no block and too little data have different sentences."""
    assert expected in sentence(provider)


@pytest.mark.parametrize("provider", [p for p, kind in lab_country.KINDS.items() if kind[4]])
def test_no_sentence_claims_an_intent(provider):
    """No word in any sentence claims an intent."""
    text = sentence(provider).lower()
    assert [w for w in ("began blocking", "blocked by", "censor", "comply", "complied") if w in text] == []


def test_a_provider_without_measurements_has_a_sentence():
    """A provider without an answer has a sentence that says so."""
    mossend = entries(WATCH, {})[-1]
    assert sentences.sentence(WATCH, mossend) == "Nothing has been measured on Mossend yet."


def test_a_wide_interval_has_no_seconds_and_names_both_days():
    """A wide interval has no seconds, and one over midnight has two dates."""
    wide = Interval(
        estimate="2026-04-30T23:59:00.000Z", earliest="2026-04-30T23:50:13.000Z", latest="2026-05-01T00:10:47.000Z",
        level=0.95,
    )  # fmt: skip
    assert (
        "between 23:50 UTC on 30 Apr and 00:10 UTC on 1 May 2026 (03:50 to 04:10 on 1 May local time, UTC+4; 95 %)"
        in (sentence("brindlewick-fixed", onset=wide))
    )


def test_a_country_on_utc_has_no_second_clock():
    """Local time is left out where it is UTC."""
    text = sentence("brindlewick-fixed", lab_country.watch(zone="UTC"))
    assert "local time" not in text
    assert "UTC on 1 May 2026 (95 %)" in text


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.4, "0 s"), (14.4, "14 s"), (119.4, "119 s"), (120, "2 min"), (3599, "60 min"), (7200, "2 h"),
        (16800, "4 h 40 min"), (172_800, "2 d"), (360_000, "4 d 4 h"), (-14, "14 s"),
    ],
)  # fmt: skip
def test_durations_have_two_units(seconds, expected):
    """The two leading units, rounded, without a sign."""
    assert sentences.duration(seconds) == expected


@pytest.mark.parametrize(
    ("lag", "expected"),
    [
        ((12, 16, (13, 14)), "14 s after"),
        ((-20, -10, (-16, -15)), "15 s before"),
        ((360_000, 464_700, (362_400, 448_800)), "4 d 4 h to 5 d 9 h after"),
        ((-7200, -3600, None), "60 min to 2 h before"),
        ((-3600, 3600, None), "at about the time of"),
        ((30, 31, None), "30 s to 31 s after"),
        ((30.1, 30.2, None), "30 s after"),
        ((None, 40, None), "at most 40 s after"),
        ((None, -40, None), "before"),
    ],
)
def test_a_lag_uses_what_is_known(lag, expected):
    """An estimate where there is one, a range where the date is a day, and the right side of the order."""
    assert sentences.lag(LagRange(earliest=lag[0], latest=lag[1], estimate=lag[2])) == expected


@pytest.mark.parametrize(("p", "expected"), [(0.9999, "p > 0.99"), (0.97, "p = 0.97"), (0.001, "p < 0.01")])
def test_a_probability_has_two_digits(p, expected):
    """A probability is never printed as 1 or 0."""
    assert sentences.chance(p) == expected
