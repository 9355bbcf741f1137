"""Review in a real browser: keys, the next flag at once, undo, and two people at once."""

from __future__ import annotations

from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.support.api import Api, eventually, unique
from tests.support.browser import look

SHOWN = "[data-case]:not([hidden])"


@pytest.fixture
def flags(api: Api):
    """Makes so many flags; answers their titles."""

    def make(count: int, priority: str = "normal") -> list[str]:
        titles = [f"Flag {uuid4().hex[:8]}" for _ in range(count)]
        for title in titles:
            told = api.decided(unique("review_c.jpg"), title=title, priority=priority)
            assert told["verdict"] == "review"
        return titles

    return make


def shown(page: Page, what: str = "data-id") -> str:
    return page.locator(SHOWN).get_attribute(what) or ""


def test_one_key_decides_and_the_next_is_there_at_once(sit_down, flags, api):
    flags(4)
    page = sit_down()
    page.goto("/console/review")
    job_id, name = shown(page), shown(page, "data-name")
    look(page)
    page.keyboard.press("3")
    assert shown(page) != job_id
    expect(page.locator("#notices")).to_contain_text(f"Rejected “{name}” · Scam")
    eventually(lambda: api.status(job_id)["verdict"] == "rejected")
    page.wait_for_timeout(200)  # a second press sooner is taken for the same
    page.keyboard.press("u")
    assert shown(page) == job_id
    eventually(lambda: api.status(job_id)["verdict"] == "review")


def test_one_press_never_decides_two(sit_down, flags):
    flags(4)
    page = sit_down()
    page.goto("/console/review")
    sent = []
    page.on("request", lambda request: sent.append(request.url) if "decision" in request.url else 0)
    look(page)
    page.keyboard.down("a")
    for _ in range(8):
        page.keyboard.down("a")  # the key repeats
    page.keyboard.up("a")
    page.wait_for_timeout(300)
    assert len(sent) == 1
    page.locator(f"{SHOWN} button.approve").dblclick()
    page.wait_for_timeout(300)
    assert len(sent) == 2


def test_keys_are_ignored_with_modifiers_and_can_be_turned_off(sit_down, flags):
    flags(2)
    page = sit_down()
    page.goto("/console/review")
    first = shown(page)
    look(page)
    for chord in ("Control+a", "Alt+r", "Meta+1"):
        page.keyboard.press(chord)
    page.keyboard.press("?")
    page.locator("#keys-on").uncheck()
    page.locator("#help button").click()
    look(page)
    page.keyboard.press("a")
    assert shown(page) == first


def test_pictures_are_blurred_until_space_is_held(sit_down, stack, new_client):
    name = f"blur-{uuid4().hex[:8]}"
    Api(stack.url, new_client(name)).decided(unique("review_c.jpg"))
    client = stack.sql("SELECT id FROM client WHERE name = %s", name)[0][0]
    page = sit_down()
    page.goto(f"/console/review?client={client}")
    picture = page.locator(f"{SHOWN} img.shown").first
    expect(picture).to_have_css("visibility", "hidden")
    page.keyboard.down(" ")
    expect(picture).to_have_css("visibility", "visible")
    page.keyboard.up(" ")
    expect(picture).to_have_css("visibility", "hidden")


def test_a_late_decision_is_explained(sit_down, flags, stack):
    flags(2)
    page = sit_down()
    page.goto("/console/review")
    job_id = shown(page)
    other = page.context.new_page()
    other.goto(f"/console/submissions/{job_id}")
    other.click("button.reject")
    other.wait_for_timeout(300)
    page.keyboard.press("a")
    expect(page.locator("#notices")).to_contain_text("decided this while you had it open")


def test_what_could_not_be_saved_comes_back(sit_down, flags):
    flags(2)
    page = sit_down()
    page.goto("/console/review")
    first = shown(page)
    look(page)
    page.context.set_offline(True)
    page.keyboard.press("a")
    expect(page.locator("#notices")).to_contain_text("decide again")
    assert shown(page) == first


def test_the_list_is_worked_with_keys(sit_down, stack, new_client):
    name = f"list-{uuid4().hex[:8]}"
    api = Api(stack.url, new_client(name))
    for number in range(3):
        api.decided(unique("review_c.jpg"), title=f"Row {number}")
    client = stack.sql("SELECT id FROM client WHERE name = %s", name)[0][0]
    page = sit_down()
    page.goto(f"/console/review?view=list&client={client}")
    page.keyboard.press("j")
    row = page.locator(".row.focused")
    name, job_id = row.get_attribute("data-name"), row.get_attribute("data-id")
    look(page)
    page.keyboard.press("r")
    expect(page.locator("#notices")).to_contain_text(f"Rejected “{name}”")
    eventually(lambda: api.status(job_id)["verdict"] == "rejected")


def test_a_new_flag_comes_by_itself_where_there_was_none(sit_down, flags):
    page = sit_down()
    page.goto("/console/review")
    while page.locator(SHOWN).count():
        look(page)
        page.keyboard.press("a")
        page.wait_for_timeout(100)
    expect(page.locator("#empty")).to_be_visible()
    (title,) = flags(1)
    expect(page.locator(f'[data-case][data-name="{title}"]')).to_have_count(1, timeout=12_000)
