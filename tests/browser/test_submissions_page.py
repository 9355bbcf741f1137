"""Submissions and authors before a person: the filters without a reload, pictures on demand."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.support.api import unique
from tests.support.console import Console, person
from tests.support.looks import SIZES, looks_right, looks_right_now

LONG = "Ein sehrlangeswortohnezwischenraum" * 8


@pytest.mark.parametrize("size", SIZES)
def test_pages_are_accessible_and_fit(sit_down, api, size):
    user = f"{LONG[:150]}-{uuid4().hex[:6]}"
    told = api.decided(unique("review_a.jpg"), title=LONG, description=LONG * 3, user_id=user)
    api.decided(title="شقة في المدينة 🎈", description="غرفتان", user_id=user)
    width, height = SIZES[size]
    page = sit_down("administrator", width, height)
    pages = [
        "/console/submissions",
        f"/console/submissions?author={user}&verdict=review&mode=sync&score_from=0.1",
        "/console/submissions?score_from=9&since=never",
        "/console/submissions?text=nothing-has-this-word",
        f"/console/submissions/{told['job_id']}",
        "/console/authors",
        f"/console/authors?author={user}",
        "/console/authors?kind=premium",
        "/console/authors?author=nobody-begins-so",
    ]
    for path in pages:
        looks_right(page, path)
    page.goto(f"/console/authors?author={user}")
    page.click(".author-cell a")
    expect(page.locator(".record")).to_be_visible()
    looks_right_now(page, "an author's record")


def test_filters_work_as_they_are_typed_and_stand_in_the_address(sit_down, api):
    word = f"dugong{uuid4().hex[:8]}"
    api.decided(title=f"A {word}")
    api.decided(title=f"Another {word}, buy followers now", description="casino bonus")
    page = sit_down()
    page.goto("/console/submissions")
    page.fill("#s-text", word)
    expect(page.locator(".hit")).to_have_count(2)
    expect(page.locator(".results-count")).to_have_text("2 results")
    page.wait_for_url(f"**/console/submissions?text={word}")
    page.select_option("#s-verdict", "approved")
    page.wait_for_url("**verdict=approved**")
    page.reload()
    assert page.locator("#s-text").input_value() == word
    page.click(".found-filters .chip >> nth=1")
    expect(page.locator(".hit")).to_have_count(2)


def test_older_ones_come_without_a_reload(sit_down, api, stack):
    for number in range(55):
        api.decided(title=f"Manatee {number}")
    page = sit_down()
    page.goto("/console/submissions?text=manatee")
    expect(page.locator(".hit")).to_have_count(50)
    page.click("text=Older")
    expect(page.locator(".hit")).to_have_count(55)


def test_an_approved_picture_is_drawn_when_somebody_asks(sit_down, api, stack):
    told = api.decided(unique("safe_astronaut.jpg"), title="Nobody had to look")
    assert told["verdict"] == "approved"
    sql = "SELECT thumbnail FROM image WHERE submission_id = %s"
    assert stack.sql(sql, told["job_id"]) == [(False,)]
    page = sit_down()
    page.goto(f"/console/submissions/{told['job_id']}")
    shown = page.locator(".picture .shown")
    expect(shown).to_have_count(1, timeout=20_000)
    page.wait_for_function("document.querySelector('.picture .shown').naturalWidth > 0")
    assert stack.sql(sql, told["job_id"]) == [(True,)]


def test_a_decision_is_made_and_taken_back_on_the_page(sit_down, api):
    told = api.decided(title="A chair", description="Solid")
    page = sit_down()
    page.goto(f"/console/submissions/{told['job_id']}")
    page.click(".reasons button >> text=Scam")
    expect(page.locator(".title-row .chip.rejected")).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text("rejected")
    page.click("text=Undo my decision")
    expect(page.locator(".title-row .chip.approved")).to_be_visible()
    page.click("text=Send back to review")
    expect(page.locator(".title-row .chip.review")).to_be_visible()


def test_whoever_decides_what_has_changed_is_told_so(stack, api):
    told = api.decided(title="Two people look")
    first, second = person(stack), person(stack)
    path = f"/submissions/{told['job_id']}"
    version = re.search(r'name="version" value="(\d+)"', first.get(path).text)
    assert version
    send = {"form": path, "outcome": "rejected:spam", "version": version[1], "from": "submission"}
    action = f"/reviews/{told['job_id']}/decision"
    assert post(first, action, send).status_code == 200
    late = post(second, action, {**send, "outcome": "approved"})
    assert late.status_code == 409
    assert "Changed by somebody else" in late.text


def post(console: Console, action: str, fields: dict[str, str]):
    return console.post(action, **fields)
