"""Looking before deciding: zoom, matches in long texts, the appeal, the phone, and groups."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.api import drawn, eventually, unique
from tests.support.browser import look
from tests.support.console import person

SHOWN = "[data-case]:not([hidden])"
IN_VIEW = """mark => { const {top, bottom} = mark.getBoundingClientRect();
    const bar = document.querySelector('.reviewing .verdict-main');
    const end = getComputedStyle(bar).position === 'fixed' ? bar.getBoundingClientRect().top
        : innerHeight;
    const box = mark.closest('.description').getBoundingClientRect();
    return top >= Math.max(0, box.top - 1) && bottom <= Math.min(end, box.bottom + 1); }"""
LONG = (
    f"{'A fine chair of oak. ' * 150}Wire transfer only, via WhatsApp. "
    f"{'Solid and old. ' * 150}Contact me on WhatsApp. {'Pick up in Ulm. ' * 60}"
)


def tall() -> bytes:
    """A screenshot of a long page."""
    file = io.BytesIO()
    small = Image.effect_noise((27, 180), 90)
    small.resize((1080, 7200)).convert("RGB").save(file, "JPEG", quality=60)
    return file.getvalue()


def scale_of(page: Page) -> int:
    return int(page.locator(".zoom-scale").inner_text().removesuffix(" %"))


def test_the_original_is_zoomed_and_moved_with_keys(sit_down, apart):
    mine, address = apart
    mine.decided(tall(), title="Watch", description="Wire transfer only, via WhatsApp")
    page = sit_down()
    page.goto(address)
    page.keyboard.press("z")
    image = page.locator("#zoom img")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.naturalHeight") == 7200  # not the preview
    assert scale_of(page) == 100  # its whole width, readable, from the top
    top = image.bounding_box()["y"]
    page.keyboard.press("PageDown")
    assert image.bounding_box()["y"] < top
    page.keyboard.press("+")
    assert scale_of(page) == 125
    page.mouse.move(600, 400)
    page.mouse.wheel(0, 100)
    assert scale_of(page) == 100
    before = image.bounding_box()["y"]
    page.mouse.down()
    page.mouse.move(600, 340, steps=3)
    page.mouse.up()
    assert image.bounding_box()["y"] == pytest.approx(before - 60, abs=2)
    page.keyboard.press("a")  # decides nothing behind the picture
    page.keyboard.press("z")
    expect(page.locator("#zoom")).to_be_hidden()
    expect(page.locator(SHOWN)).to_have_count(1)
    page.keyboard.press("z")
    expect(image).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#zoom")).to_be_hidden()


def test_b_blocks_the_picture_shown(sit_down, apart, stack):
    mine, address = apart
    job_id = mine.decided(drawn(), unique("review_a.jpg"), drawn())["job_id"]
    page = sit_down()
    page.goto(address)
    expect(page.locator(f"{SHOWN} .picture:visible")).to_contain_text("2 of 3")
    page.keyboard.press("ArrowRight")
    look(page)
    page.keyboard.press("b")
    expect(page.locator("#notices")).to_contain_text("Rejected and blocked")
    known = (
        "SELECT DISTINCT i.position FROM known_hash k JOIN image i ON i.id = k.image_id"
        " WHERE i.submission_id = %s AND k.removed_at IS NULL"
    )
    eventually(lambda: stack.sql(known, job_id) == [(2,)])
    look(page)
    page.keyboard.press("u")
    eventually(lambda: stack.sql(known, job_id) == [])
    page.reload()
    page.keyboard.press("v")
    look(page)
    page.keyboard.press("b")
    eventually(lambda: stack.sql(known, job_id) == [(1,)])
    look(page)
    page.keyboard.press("u")
    eventually(lambda: stack.sql(known, job_id) == [])


@pytest.mark.parametrize("width", [1440, 390])
def test_the_match_in_a_long_text_is_in_view_and_m_goes_to_the_next(sit_down, apart, width):
    mine, address = apart
    mine.decided(drawn(), title="Chair", description=LONG)
    page = sit_down("moderator", width, 844)
    page.goto(address)
    marks = page.locator(f"{SHOWN} .description mark")
    assert marks.count() >= 2
    assert marks.first.evaluate(IN_VIEW)
    for number in (0, marks.count() - 1):
        while not marks.nth(number).evaluate("mark => mark.classList.contains('current')"):
            page.keyboard.press("m")
        assert marks.nth(number).evaluate(IN_VIEW)


def test_the_appeal_and_the_earlier_verdict_come_first_on_a_phone(sit_down, apart, stack):
    mine, address = apart
    ada = person(stack)
    job_id = mine.decided(unique("review_a.jpg"), title="Mine")["job_id"]
    [(version,)] = stack.sql("SELECT version FROM submission WHERE id = %s", job_id)
    assert ada.decide(job_id, str(version), "rejected:scam").status_code == 200
    body = {"job_id": job_id, "message": "It is a painting"}
    assert mine.http.post(f"{mine.base}/appeals", json=body).status_code == 201
    page = sit_down("moderator", 390, 844)
    page.goto(address)
    appeal = page.locator(f"{SHOWN} .appeal")
    expect(appeal).to_contain_text("rejected it · Scam")
    expect(appeal).to_contain_text("It is a painting")
    bar = page.locator(f"{SHOWN} .verdict-main").bounding_box()
    box = appeal.bounding_box()
    assert box["y"] + box["height"] <= bar["y"]
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    last = page.locator(f"{SHOWN} .case-side > .panel").last.bounding_box()
    assert last["y"] + last["height"] <= page.locator(f"{SHOWN} .verdict-main").bounding_box()["y"]


def test_only_the_tiles_that_were_on_screen_are_ticked(sit_down, apart):
    mine, address = apart
    words = {"title": "Watch", "description": "Wire transfer only, via WhatsApp"}
    ids = [mine.decided(**words)["job_id"] for _ in range(24)]
    page = sit_down("moderator", 390, 844)
    page.goto(address)
    page.locator(f"{SHOWN} .related a", has_text="by this rule").click()
    expect(page.locator("#chosen")).to_contain_text("not seen yet")
    ticked = page.locator("#group input:checked").count()
    assert 0 < ticked < 24
    page.locator(".group-verdict button.approve").click()
    expect(page.locator("#notices")).to_contain_text(f"{ticked} approved")
    assert "client=" in page.url
    verdicts = [mine.status(job)["verdict"] for job in ids]
    assert verdicts.count("approved") == ticked


def test_the_phones_menu_names_the_page_and_leads_to_every_page(sit_down):
    page = sit_down("moderator", 390, 844)
    page.goto("/console/known-images/")
    button = page.locator(".menu-button")
    expect(button).to_contain_text("Known images")
    links = page.locator("#pages a")
    expect(links.first).to_be_hidden()
    button.click()
    expect(links.last).to_be_visible()
    assert links.count() == 15
    assert page.locator("#pages [aria-current=page]").inner_text().strip() == "Known images"
    for link in links.all():
        box = link.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["height"] >= 44
    page.keyboard.press("Escape")
    expect(links.first).to_be_hidden()
    button.click()
    links.get_by_text("Statistics").click()
    page.wait_for_url("**/console/statistics/")
    expect(page.locator(".menu-button")).to_contain_text("Statistics")
    expect(page.locator(".menu-search")).to_be_visible()


def test_no_word_is_cut_on_the_buttons_of_a_verdict(sit_down, apart):
    mine, _ = apart
    told = mine.decided(title="Chair", description="Text me on WhatsApp +44 7700 900123")
    assert told["reasons"][0]["label"] == "contact_off_site", told
    for width in (1440, 1024, 390):
        page = sit_down("administrator", width, 844)
        page.goto(f"/console/submissions/{told['job_id']}")
        cut = page.evaluate(
            "[...document.querySelectorAll('.verdict button span, .verdict button small')]"
            ".filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth)"
            ".map(one => one.textContent)"
        )
        assert cut == [], width
