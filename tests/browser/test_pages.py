"""Every page in light and dark, wide and narrow: no violation, nothing hangs over the edge."""

from __future__ import annotations

import pytest

from tests.api import unique

PAGES = {
    "dashboard": "/console/",
    "statistics": "/console/statistics/?range=hour",
    "review": "/console/review",
    "list": "/console/review?view=list",
    "debt": "/console/review?view=list&filter=debt",
    "escalated": "/console/review?filter=escalated",
    "pause": "/console/review/pause",
    "group": "/console/reviews/{job_id}/group?by=alike",
    "submission": "/console/submissions/{job_id}",
}
SIZES = {"wide": (1440, 900), "phone": (390, 844)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit(sit_down, api, scheme, size):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    words = "Ein sehrlangeswortohnezwischenraum" * 8
    told = api.decided(
        unique("review_a.jpg"), "animated_bad_frame_17.gif", title=words, description=words * 3
    )
    width, height = SIZES[size]
    page = sit_down("administrator", width, height, color_scheme=scheme)
    for name, path in PAGES.items():
        page.goto(path.format(**told))
        page.wait_for_timeout(600)
        found = [violation["id"] for violation in axe.run(page).response["violations"]]
        assert not found, f"{name}: {found}"
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{name} is {wide} pixels too wide"


def test_the_dashboard_moves_by_itself(sit_down, api):
    page = sit_down()
    before = page.locator(".count").inner_text()
    api.decided(unique("review_b.jpg"), title="One more")
    page.wait_for_function(
        "before => document.querySelector('.count').innerText !== before", arg=before
    )
    assert page.locator("#charts canvas").count() >= 1


def test_tabs_of_one_browser_share_one_stream(sit_down, stack):
    page = sit_down()
    streams = []
    page.context.on("request", lambda r: streams.append(r.url) if "events" in r.url else None)
    for _ in range(3):
        page.context.new_page().goto("/console/")
    page.wait_for_timeout(500)
    assert len(streams) <= 1
