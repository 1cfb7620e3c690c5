"""The charts: everything that is known is drawn, at its position, and can be read without colours."""

import datetime as dt
import json

import msgspec
import pytest

from dashboard import texts, times
from dashboard.charts import timeline
from dashboard.charts.axis import Axis
from dashboard.charts.strip import points, strip
from dashboard.palette import DARK, LIGHT
from dashboard.shapes import BinView, ProbeView, RunView, SeriesView
from tests.support import lab_country


def axis(start_s=0, end_s=150, zone=dt.UTC):
    """An axis over seconds after ZERO."""
    return Axis(lab_country.ZERO_MS + start_s * 1000, lab_country.ZERO_MS + end_s * 1000, zone, LIGHT)


def drawn(chart):
    """All rows that a chart draws, and its specification as JSON."""
    document = chart.to_dict()
    parts = [document, *document["layer"]]  # the data of a single layer is one level above it
    return [row for p in parts if "data" in p for row in p["data"]["values"]], json.dumps(document)


def test_rows_are_in_the_order_of_their_onsets(onsets):
    """First the provider that was blocked before measuring began, then by onset, then those without one by state."""
    rows = timeline.rows(onsets(), axis())
    assert [r["provider"].split("-")[0] for r in rows] == [
        "jessamy", "brindlewick", "caskenway", "dunmarrow", "elverstone", "fennimore", "inchbarrow", "gallowmere",
        "hobsquay", "kittering", "larkwater", "mossend",
    ]  # fmt: skip


def test_every_state_has_its_own_shape_or_label(onsets):
    """A suspicion, an open interval and a lift can be told from an onset without colours."""
    rows = {r["provider"]: r for r in timeline.rows(onsets(), axis())}
    assert {rows[p]["kind"] for p in ("brindlewick-fixed", "hobsquay-mobile")} == {"onset"}
    assert rows["inchbarrow-fixed"]["kind"] == "suspected"
    assert rows["jessamy-mobile"]["kind"] == "open"
    assert "lift" in rows["fennimore-mobile"]
    assert rows["kittering-fixed"]["text"] == "○ no block seen"
    assert rows["larkwater-mobile"]["text"] == "… not measured enough"
    assert rows["mossend-fixed"]["text"].endswith("not measured")


def test_the_marks_are_at_the_times_of_the_answer(onsets):
    """Estimate, interval, and the period until the lift or until the newest measurement."""
    rows = {r["provider"]: r for r in timeline.rows(onsets(), axis())}
    one = rows["fennimore-mobile"]
    offsets = {k: one[k] - lab_country.ZERO_MS for k in ("at", "from", "to", "until", "lift", "lift_from", "lift_to")}
    assert offsets == {
        "at": 60_100, "from": 59_000, "to": 61_600, "until": 110_500, "lift": 110_500, "lift_from": 109_400,
        "lift_to": 112_000,
    }  # fmt: skip
    assert rows["hobsquay-mobile"]["until"] == lab_country.ZERO_MS + 150_000
    assert (one["lasts"], rows["hobsquay-mobile"]["lasts"]) == (False, True)
    assert rows["brindlewick-fixed"]["text"] == "14 s after the order"


def test_providers_with_the_same_name_have_separate_rows(onsets):
    """A fixed and a mobile network of one brand aren't drawn in the same row."""
    shown = onsets()
    named = [msgspec.structs.replace(e, name="Brand") for e in shown.providers[:3]]
    shown = msgspec.structs.replace(shown, providers=(*named, *shown.providers[3:]))
    labels = [r["label"] for r in timeline.rows(shown, axis()) if r["label"].startswith("Brand")]
    assert sorted(labels) == ["Brand (fixed)", "Brand (fixed)", "Brand (mobile)"]


def test_the_domain_contains_the_order_the_deadline_and_every_interval(onsets, watch):
    """All events are inside, and a lasting block doesn't extend the domain without limit."""
    start, end = timeline.domain(onsets(), watch)
    assert start < lab_country.ZERO_MS
    assert lab_country.ZERO_MS + 112_000 < end < lab_country.ZERO_MS + 190_000
    assert timeline.domain(onsets(known_s=86_400), watch)[1] < lab_country.ZERO_MS + 190_000


def test_the_axis_has_no_bare_number_as_an_end():
    """Streamlit's interpreter of Vega expressions misreads one; without any band the chart would have no time axis."""
    ends = axis().x("at").to_dict()["scale"]["domain"]
    assert ends == [{"expr": str(lab_country.ZERO_MS + s * 1000)} for s in (0, 150)]


def test_the_domain_of_nothing_is_the_present(onsets, watch):
    """Without dates or onsets there is still an axis, up to the newest measurement."""
    watch = msgspec.structs.replace(watch, directive=msgspec.structs.replace(watch.directive, dates=()))
    reachable = [lab_country.answer("kittering-fixed")]
    start, end = timeline.domain(onsets(answers=reachable), watch)
    assert end == lab_country.ZERO_MS + 150_000
    assert end - start == 60_000 * watch.cadence_s


def test_the_timeline_draws_dates_and_all_providers(onsets, watch):
    """The order and the deadline are named in the chart, and each provider has a row."""
    rows, document = drawn(timeline.timeline(onsets(), watch, DARK))
    assert {"order", "deadline"} <= {r.get("text") for r in rows}
    assert {e.name for e in onsets().providers} <= {r.get("label") for r in rows}
    assert DARK.ground in document
    assert LIGHT.stop not in document


def test_a_date_known_to_the_day_is_a_band(onsets, watch):
    """A day is drawn from its first to its last instant."""
    first, *others = watch.directive.dates
    day = msgspec.structs.replace(first, precision="day", earliest=lab_country.text(0), latest=lab_country.text(100))
    directive = msgspec.structs.replace(watch.directive, dates=(day, *others))
    watch = msgspec.structs.replace(watch, directive=directive)
    layers = timeline.timeline(onsets(), watch, LIGHT).to_dict()["layer"]
    bands = [x for x in layers if x["mark"]["type"] == "rect" and x["data"]["values"][0].get("text") == "order"]
    assert [(b["data"]["values"][0]["at"], b["data"]["values"][0]["to"]) for b in bands] == [
        (lab_country.ZERO_MS, lab_country.ZERO_MS + 100_000)
    ]


def test_an_empty_country_can_be_drawn(onsets, watch):
    """Without any answers the rows have only labels."""
    rows, _ = drawn(timeline.timeline(onsets(answers=[]), watch, LIGHT))
    assert {r["state"] for r in rows if "state" in r} == {texts.text("state", "unmeasured")}


@pytest.mark.parametrize(
    ("seconds", "tick_format"),
    [(150, "%H:%M:%S"), (7200, "%H:%M"), (3 * 86400, "%-d %b %H:%M"), (60 * 86400, "%-d %b")],
)
def test_ticks_are_as_fine_as_the_span(seconds, tick_format):
    """A lab of two minutes needs seconds, a real block days."""
    assert axis(0, seconds).tick_format == tick_format


def test_ticks_have_the_country_s_time_below(watch):
    """Two lines where the country's time isn't UTC, otherwise one."""
    assert "14400000" in str(axis(zone=times.zone(watch)).x("at").to_dict())
    assert "time(datum" not in str(axis().x("at").to_dict())


def _series(**changes):
    label = "line 1 · …ABCD"
    run = RunView(
        at=lab_country.text(30), label=label, verdict="blocked", method="tcp-reset", rule="a", evidence="5 of 5",
        run_id="a",
    )  # fmt: skip
    series = SeriesView(
        surface="app", rule_set="a", probes=(ProbeView(label=label, role="probe"),), items=(run,), bin_s=None, bins=(),
        next=None,
    )  # fmt: skip
    return msgspec.structs.replace(series, **changes)


def test_the_strip_draws_runs_and_the_onset_over_them(onsets, watch):
    """Each run at its time, the interval as a band, its estimate as a rule."""
    entry = next(e for e in onsets().providers if e.provider == "fennimore-mobile")
    window = (lab_country.ZERO_MS, lab_country.ZERO_MS + 150_000)
    rows, document = drawn(strip(_series(), entry, watch, window, LIGHT))
    assert {"onset", "works again", "order", "deadline"} <= {r.get("text") for r in rows}
    assert [r["outcome"] for r in rows if "outcome" in r] == ["failed"]
    assert '"square"' in document


def test_the_strip_of_a_window_without_the_onset_draws_none(onsets, watch):
    """A band outside the period isn't drawn at its edge."""
    entry = next(e for e in onsets().providers if e.provider == "brindlewick-fixed")
    window = (lab_country.ZERO_MS + 100_000, lab_country.ZERO_MS + 150_000)
    rows, _ = drawn(strip(_series(), entry, watch, window, LIGHT))
    assert "onset" not in {r.get("text") for r in rows}


def test_bins_become_points_with_their_counts():
    """A bin's point has the outcome of most of its runs, and its tooltip has all counts."""
    one = BinView(start=lab_country.text(10), label="line 1", ok=2, blocked=5, down=0, inconclusive=1)
    (point,) = points(_series(items=(), bins=(one,), bin_s=10.0))
    assert (point["outcome"], point["at"]) == ("failed", lab_country.ZERO_MS + 15_000)
    assert point["evidence"] == "2 worked, 5 failed, 1 inconclusive"


def _luminance(colour):
    def linear(part):
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_stands_out_from_the_background(palette):
    """At least 3:1 for marks and 4.5:1 for text (WCAG 2.2, relative luminance)."""
    ground = _luminance(palette.ground)
    for name in ("ink", "soft", "stop", "suspect", "ok", "down", "none"):
        light, dark = sorted((_luminance(getattr(palette, name)), ground), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= (3 if name == "none" else 4.5), name
