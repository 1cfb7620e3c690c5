"""A real browser shows what the API answers."""

import shutil
import time

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture
def page(tmp_path):
    """A page of headless Chromium with a profile of its own."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        context = p.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=CHROMIUM, args=FLAGS, viewport={"width": 1280, "height": 1600}
        )
        yield context.pages[0]
        context.close()


def test_the_page_shows_the_onset_that_the_api_gives(up, page):
    """An onset read from the overview's table equals the API's, and the provider page draws it."""
    one = up("--lab", "quick")
    at = one.addresses()
    onsets = f"{at['api']}/v1/watches/lab-quick/onsets"
    deadline = time.monotonic() + 90
    while not (blocked := _blocked(one.get(onsets))):
        assert time.monotonic() < deadline, "no provider was called blocked"
        time.sleep(0.5)
    provider = blocked[0]["provider"]

    page.goto(at["dashboard"])
    row = page.locator(f"tr[data-provider='{provider}']")
    row.wait_for(timeout=30_000)
    deadline = time.monotonic() + 30
    while True:  # page and API are both live: compare until both show the same revision
        shown = row.get_attribute("data-onset")
        from_api = {e["provider"]: e for e in one.get(onsets)["providers"]}[provider]["answer"]["onset"]["estimate"]
        if shown == from_api:
            break
        assert time.monotonic() < deadline, f"the page shows {shown}, the API says {from_api}"
        time.sleep(0.5)
    clock = from_api[11:19]
    assert clock in row.inner_text()
    assert "fictional" in page.inner_text("body").lower()

    row.locator("a").first.click()
    page.get_by_text(blocked[0]["name"]).first.wait_for(timeout=30_000)
    page.locator("canvas, svg.marks").first.wait_for(timeout=30_000)
    assert "Traceback" not in page.inner_text("body")


def _blocked(onsets):
    answered = [p for p in onsets["providers"] if p["answer"]]
    return [p for p in answered if p["answer"]["state"] == "blocked" and p["answer"]["onset"]]
