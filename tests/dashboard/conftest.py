"""An API with an invented country behind it, for the dashboard's tests."""

import msgspec
import pytest

from aggregator.answers.entry import entries
from aggregator.answers.sentences import headline, with_sentences
from aggregator.api.app import create_app
from aggregator.api.shapes import watch_shape
from aggregator.store.store import Store
from dashboard.shapes import OnsetsView, WatchView
from tests.support import lab_country
from tests.support.asgi_server import serving

WATCH = lab_country.watch()


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """The URL of the API."""
    store = Store.open(f"chdb://{tmp_path_factory.mktemp('store')}")
    lab_country.fill(store)
    app = create_app(store, {WATCH.id: WATCH}, health=lab_country.health, prefixes=None)
    with serving(app) as url:
        yield url
    store.close()


@pytest.fixture
def watch():
    """The country's watch, as the pages read it."""
    return msgspec.convert(msgspec.to_builtins(watch_shape(WATCH)), WatchView)


@pytest.fixture
def onsets():
    """A function that gives the country's onsets as the pages read them, by default with all answers."""

    def give(*, answers=None, known_s=150):
        if answers is None:
            answers = [lab_country.answer(p) for p, kind in lab_country.KINDS.items() if kind[4]]
        providers = [with_sentences(WATCH, e) for e in entries(WATCH, {(a.provider, a.surface): a for a in answers})]
        as_of = lab_country.text(known_s) if answers else None
        body = {"as_of": as_of, "headline": headline(WATCH, providers), "providers": providers}
        return msgspec.convert(msgspec.to_builtins(body), OnsetsView)

    return give
