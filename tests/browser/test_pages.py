"""Every page in light and dark, wide and narrow: no violation, nothing hangs over the edge."""

from __future__ import annotations

import pytest

from tests.support.api import unique
from tests.support.looks import SIZES, looks_right

PAGES = (
    "/console/",
    "/console/statistics/?range=hour",
    "/console/review",
    "/console/review?view=list",
    "/console/review?view=list&filter=debt",
    "/console/review?filter=escalated",
    "/console/review/pause",
    "/console/reviews/{job_id}/group?by=alike",
    "/console/submissions/{job_id}",
)


@pytest.mark.parametrize("size", SIZES)
def test_pages_are_accessible_and_fit(sit_down, api, size):
    words = "Ein sehrlangeswortohnezwischenraum" * 8
    told = api.decided(
        unique("review_a.jpg"), "animated_bad_frame_17.gif", title=words, description=words * 3
    )
    width, height = SIZES[size]
    page = sit_down("administrator", width, height)
    for path in PAGES:
        looks_right(page, path.format(**told), 0.6)


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
