"""What each audience may see: nothing that a route does not declare."""

import httpx
import pytest
from litestar import get

from aggregator.api import audience
from tests.support.asgi_server import serving
from tests.support.empty_api import empty_api


def test_every_route_declares_what_it_shows():
    """Each handler declares a kind that an audience may see, and each kind has a handler; OPTIONS shows nothing."""
    handlers = [(route.path, handler) for route in empty_api().routes for handler in route.route_handlers]
    shown = {handler.opt["shows"] for _, handler in handlers if "shows" in handler.opt}
    assert shown == frozenset().union(*audience.SEES.values())
    undeclared = {(path, *handler.http_methods) for path, handler in handlers if "shows" not in handler.opt}
    assert undeclared == {(path, "OPTIONS") for path, _ in handlers}


def test_what_no_audience_may_see_is_refused(api, paths, monkeypatch):
    """Every route answers 403 with a problem once the table allows nothing; OPTIONS still names the methods."""
    monkeypatch.setattr(audience, "SEES", {"analyst": frozenset()})
    for path in paths.values():
        answered = api.get(path)
        assert (answered.status_code, answered.headers["Content-Type"]) == (403, "application/problem+json"), path
        assert api.options(path).status_code == 204


@pytest.mark.parametrize(("opt", "named"), [({}, "does not declare"), ({"shows": "wishes"}, "wishes")])
def test_a_route_without_a_known_kind_is_refused(opt, named):
    """To everybody, whatever its method is."""

    @get("/forgotten", opt=opt, sync_to_thread=False)
    def forgotten() -> str:
        return "secret"

    app = empty_api()
    app.register(forgotten)
    with serving(app) as url:
        answered = httpx.get(f"{url}/forgotten")
        assert httpx.head(f"{url}/forgotten").status_code == 403
    assert answered.status_code == 403
    assert named in answered.json()["detail"]
    assert "secret" not in answered.text
