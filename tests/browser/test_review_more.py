"""Review in a real browser: two people at once, frames, heatmap, groups, escalation, swiping."""

from __future__ import annotations

from uuid import uuid4

from playwright.sync_api import Page, expect

from tests.support.api import eventually, unique
from tests.support.browser import look

SHOWN = "[data-case]:not([hidden])"


def shown(page: Page) -> str:
    return page.locator(SHOWN).get_attribute("data-id") or ""


def test_two_people_share_the_flags_and_none_is_decided_twice(sit_down, apart, stack):
    mine, address = apart
    client = int(address.rpartition("=")[2])
    for n in range(40):
        told = mine.decided(title=f"Watch {n}", description="Wire transfer only, via WhatsApp")
        assert told["verdict"] == "review"
    people = [sit_down(), sit_down()]
    seen: list[set[str]] = [set(), set()]
    for page in people:
        page.goto(address)
    for _ in range(60):
        for page, mine_seen in zip(people, seen, strict=True):
            if page.locator(SHOWN).count():
                mine_seen.add(shown(page))
                look(page)
                page.keyboard.press("a")
        if len(seen[0] | seen[1]) == 40:
            break
    assert not seen[0] & seen[1] and len(seen[0] | seen[1]) == 40
    decided = (
        "SELECT count(*), count(DISTINCT submission_id), count(DISTINCT moderator_id)"
        " FROM decision d JOIN submission s ON s.id = d.submission_id"
        " WHERE s.client_id = %s AND d.moderator_id IS NOT NULL"
    )
    eventually(lambda: stack.sql(decided, client)[0][0] == 40)
    assert stack.sql(decided, client) == [(40, 40, 2)]


def test_frames_and_pictures_are_gone_through_with_keys(sit_down, apart):
    mine, address = apart
    mine.decided("animated_bad_frame_17.gif", unique("review_b.jpg"), title="Both")
    page = sit_down()
    page.goto(address)
    visible = page.locator(f"{SHOWN} .picture:visible")
    expect(visible).to_contain_text("frame 18 of 24")
    page.keyboard.press("ArrowRight")
    expect(visible).not_to_contain_text("frame 18 of 24")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(visible).to_contain_text("2 of 2")
    page.keyboard.press("v")
    expect(visible).to_have_count(6)


def test_the_heatmap_lies_over_a_picture_that_stays_covered(sit_down, apart):
    mine, address = apart
    mine.decided(unique("review_b.jpg"), title="Where")
    page = sit_down()
    page.goto(address)
    page.keyboard.press("h")
    expect(page.locator(f"{SHOWN} img.heat")).to_be_visible(timeout=15_000)
    assert "blur(28px)" in page.locator(f"{SHOWN} img.shown").evaluate(
        "image => getComputedStyle(image).filter"
    )
    page.keyboard.press("h")
    expect(page.locator(f"{SHOWN} img.heat")).to_be_hidden()


def test_the_next_picture_is_covered_though_space_is_held(sit_down, apart):
    mine, address = apart
    for _ in range(2):
        mine.decided(unique("review_b.jpg"), title="Held")
    page = sit_down()
    page.goto(address)
    page.keyboard.down(" ")
    expect(page.locator(f"{SHOWN} img.shown")).to_have_css("visibility", "visible")
    look(page)
    page.keyboard.press("a")
    expect(page.locator(f"{SHOWN} img.shown")).to_have_css("visibility", "hidden")


def test_a_group_is_decided_by_one_key_and_comes_back_by_one(sit_down, apart):
    mine, address = apart
    author = f"burst-{uuid4().hex[:6]}"
    ids = [
        mine.decided(title=f"Watch {n}", description="Wire transfer only", user_id=author)["job_id"]
        for n in range(4)
    ]
    page = sit_down()
    page.goto(address)
    link = page.locator(f"{SHOWN} .related a", has_text="by this author")
    expect(link).to_contain_text("3 by this author")
    link.click()
    expect(page.locator("#chosen")).to_have_text("4 of 4 selected")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    expect(page.locator("#chosen")).to_have_text("3 of 4 selected")
    page.keyboard.press("3")
    expect(page.locator("#notices")).to_contain_text("3 rejected · Scam")
    assert sorted(mine.status(job)["verdict"] for job in ids) == ["rejected"] * 3 + ["review"]
    page.wait_for_load_state("load")
    page.keyboard.press("u")
    eventually(lambda: {mine.status(job)["verdict"] for job in ids} == {"review"})


def test_an_escalation_is_undone_with_u(sit_down, apart, stack):
    mine, address = apart
    job_id = mine.decided(unique("review_a.jpg"), title="Hm")["job_id"]
    page = sit_down()
    page.goto(address)
    look(page)
    page.keyboard.press("e")
    expect(page.locator("#notices")).to_contain_text("Escalated “Hm”")
    asked = "SELECT escalated_at IS NOT NULL FROM submission WHERE id = %s"
    eventually(lambda: stack.sql(asked, job_id) == [(True,)])
    page.wait_for_timeout(200)  # a second press sooner is taken for the same
    page.keyboard.press("u")
    expect(page.locator(SHOWN)).to_have_attribute("data-id", job_id)
    eventually(lambda: stack.sql(asked, job_id) == [(False,)])


def swipe(page: Page, to: int) -> None:
    """A finger on the picture, dragged sideways."""
    client = page.context.new_cdp_session(page)
    for kind, x in [("touchStart", 200), ("touchMove", 200 + to // 2), ("touchMove", 200 + to)]:
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": 300}]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_swiping_decides_on_a_phone(sit_down, apart):
    mine, address = apart
    ids = [mine.decided(unique("review_a.jpg"), title=f"Swipe {n}")["job_id"] for n in range(2)]
    page = sit_down("moderator", 390, 844, has_touch=True, is_mobile=True)
    page.goto(address)
    expect(page.locator(f"{SHOWN} .swipe-hint")).to_be_visible()
    swipe(page, 40)  # too short
    assert shown(page) == ids[0]
    look(page)
    swipe(page, 160)
    expect(page.locator("#notices")).to_contain_text("Approved “Swipe 0”")
    look(page)
    swipe(page, -160)
    expect(page.locator("#notices")).to_contain_text("Rejected “Swipe 1”")
    wanted = ["approved", "rejected"]
    eventually(lambda: [mine.status(job)["verdict"] for job in ids] == wanted)


def test_slash_goes_to_the_search_box(sit_down):
    page = sit_down()
    page.goto("/console/review")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("garden chairs")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/submissions?text=garden+chairs")
