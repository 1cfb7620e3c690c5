"""The pages in a real browser, served by the shipped command, with the real API."""

import contextlib
import shutil
import socket
import threading

import httpx
import pytest

from tests.support.served_dashboard import served_dashboard

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WAIT_MS = 40_000


@pytest.fixture(scope="module")
def pages(api):
    """The URL of the dashboard of the invented country."""
    with served_dashboard(api) as (url, _):
        yield url


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium with a profile of its own."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        context = p.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"), executable_path=CHROMIUM, args=FLAGS
        )
        yield context
        context.close()


@pytest.fixture
def page(browser):
    """A browser page for one test. It must not show a traceback."""
    one = browser.new_page()
    one.set_default_timeout(WAIT_MS)
    yield one
    assert "Traceback" not in one.inner_text("body")
    one.close()


@pytest.mark.browser
def test_the_overview_shows_what_the_api_says(pages, api, page):
    """Headline, banner, chart, and a row per provider with its onset, so that the chart isn't needed."""
    body = httpx.get(f"{api}/v1/watches/ostramere/onsets").json()
    page.goto(pages)
    rows = page.locator("tr[data-provider]")
    rows.first.wait_for()
    shown = {
        r["p"]: r["o"] for r in rows.evaluate_all("rs => rs.map(r => ({p: r.dataset.provider, o: r.dataset.onset}))")
    }
    assert shown == {
        e["provider"]: ((e["answer"] or {}).get("onset") or {}).get("estimate") or "" for e in body["providers"]
    }
    text = page.inner_text("body")
    assert body["headline"] in text
    assert "FICTIONAL" in text.upper()
    assert "10:00:24" in page.locator("tr[data-provider='brindlewick-fixed']").inner_text()
    chart = page.locator("[data-testid='stVegaLiteChart']").first
    chart.wait_for()
    assert "Timeline of 12 providers" in chart.get_attribute("aria-label")


@pytest.mark.browser
def test_a_row_links_to_the_provider_and_the_address_keeps_the_choices(pages, page):
    """Click on a provider, choose a period, reload: the choice is kept; and back to all providers."""
    page.goto(pages)
    page.locator("tr[data-provider='fennimore-mobile'] a").click()
    page.get_by_role("heading", name="Fennimore").wait_for()
    page.locator("tr[data-run]").first.wait_for()
    assert {"ok", "blocked"} <= set(page.locator("tr[data-run]").evaluate_all("rs => rs.map(r => r.dataset.verdict)"))
    page.get_by_text("everything").click()
    page.wait_for_url("**window=all*")
    page.reload()
    page.get_by_role("heading", name="Fennimore").wait_for()
    assert "window=all" in page.url
    page.get_by_text("all providers").click()
    page.locator("tr[data-provider]").first.wait_for()


@pytest.mark.browser
def test_a_run_shows_the_reason_of_its_rule(pages, api, page):
    """Beside the evidence stands why it supports the outcome, in the words of the rule that decided."""
    rules = {r["id"]: r for r in httpx.get(f"{api}/v1/rule-sets/2026-11").json()["rules"]}
    page.goto(f"{pages}/provider?watch=ostramere&provider=dunmarrow-mobile")
    page.locator("tr[data-verdict='blocked']").first.wait_for()
    said = page.locator("tr[data-verdict='blocked']").first.inner_text()
    assert "the contrast name got through" in said
    assert rules["tls-reset-after-sni"]["reason"] in said


@pytest.mark.browser
def test_a_narrow_screen_needs_no_sideways_scrolling(pages, page):
    """At 390 px the page is as wide as the screen, and the table's rows are shown as cards."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(pages)
    page.locator("tr[data-provider]").first.wait_for()
    page.locator("[data-testid='stVegaLiteChart']").first.wait_for()
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    width = page.locator("tr[data-provider]").first.bounding_box()["width"]
    assert width <= 390


@pytest.mark.browser
def test_an_unknown_name_in_the_address_is_reported(pages, page):
    """For an unknown watch or provider the page shows a notice."""
    page.goto(f"{pages}/?watch=nowhere")
    page.get_by_text("There is no such page").wait_for()
    page.goto(f"{pages}/provider?watch=ostramere&provider=nobody")
    page.get_by_text("is not a provider of this watch").wait_for()


@pytest.mark.browser
def test_a_page_waits_for_an_api_that_is_down(api, page):
    """While the API is down the page shows a notice; when the API is back, the page loads by itself."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with served_dashboard(f"http://127.0.0.1:{port}") as (url, _):
        page.goto(url)
        page.get_by_text("can't be reached").wait_for()
        with _relay(port, api):
            page.locator("tr[data-provider]").first.wait_for()
        page.get_by_text("Not live: showing what was known").wait_for()
        assert page.locator("tr[data-provider]").count() == 12


@contextlib.contextmanager
def _relay(port, api):
    """Relay a port to the API for the time of a block."""
    target = httpx.URL(api)
    server = socket.create_server(("127.0.0.1", port))
    open_ = [server]

    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.create_connection((target.host, target.port))
                open_.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield
    for one in open_:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
