"""Keys of the review: by position, only after a look, skip and undo; and where the focus is."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.api import Api, eventually
from tests.support.browser import look

SHOWN = "[data-case]:not([hidden])"
PRESS = """([key, code, shift]) => document.activeElement.dispatchEvent(
    new KeyboardEvent('keydown', {key, code, shiftKey: shift, bubbles: true, cancelable: true}))"""
FOCUS = "document.activeElement.tagName.toLowerCase()"


def flags(api: Api, count: int) -> list[str]:
    return [
        api.decided(title=f"Watch {n}", description="Wire transfer only, via WhatsApp")["job_id"]
        for n in range(count)
    ]


def shown(page: Page) -> str:
    return page.locator(SHOWN).get_attribute("data-id") or ""


def test_a_key_counts_by_its_place_on_other_layouts(sit_down, apart):
    mine, address = apart
    first, second, third, _ = flags(mine, 4)
    page = sit_down()
    page.goto(address)
    for key, code in (("ф", "KeyA"), ("&", "Digit1")):  # Russian, French
        look(page)
        page.evaluate(PRESS, [key, code, False])
    eventually(lambda: mine.status(first)["verdict"] == "approved")
    eventually(lambda: mine.status(second)["verdict"] == "rejected")
    look(page)
    for key, code, shift in (("!", "Digit1", True), ("o", "KeyS", False), ("q", "KeyA", False)):
        page.evaluate(PRESS, [key, code, shift])  # a sign, Dvorak, French
    assert shown(page) == third


def test_a_key_counts_only_after_the_flag_was_on_screen(sit_down, apart):
    mine, address = apart
    first, second, _ = flags(mine, 3)
    page = sit_down()
    page.goto(address)
    look(page)
    page.clock.install()  # from now on time passes only when the test says so
    page.clock.pause_at(page.evaluate("Date.now() + 60000"))
    page.keyboard.press("a")
    assert shown(page) == second
    page.clock.run_for(200)
    page.keyboard.press("a")
    assert shown(page) == second
    page.clock.run_for(100)
    page.keyboard.press("a")
    assert shown(page) not in (first, second)


def test_undo_after_a_skip_brings_the_skipped_flag_back(sit_down, apart, stack):
    mine, address = apart
    first, second, third = flags(mine, 3)
    page = sit_down()
    page.goto(address)
    look(page)
    page.keyboard.press("a")
    look(page)
    page.keyboard.press("s")
    expect(page.locator("#notices")).to_contain_text("Skipped")
    expect(page.locator(SHOWN)).to_have_attribute("data-id", third)
    look(page)
    page.keyboard.press("u")
    expect(page.locator(SHOWN)).to_have_attribute("data-id", second)
    held = "SELECT review_until > now() FROM submission WHERE id = %s"
    eventually(lambda: stack.sql(held, second) == [(True,)])
    assert mine.status(first)["verdict"] == "approved"
    look(page)
    page.keyboard.press("u")
    eventually(lambda: mine.status(first)["verdict"] == "review")


def test_the_focus_stays_in_the_work(sit_down, apart):
    mine, address = apart
    flags(mine, 2)
    page = sit_down()
    page.goto(address)
    look(page)
    page.keyboard.press("a")
    expect(page.locator("#notices")).to_contain_text("Approved")
    assert page.evaluate("document.activeElement.matches('[data-case]:not([hidden])')")
    assert page.locator("#notices .seconds").get_attribute("aria-hidden") == "true"
    look(page)
    page.keyboard.press("a")
    expect(page.locator("#empty")).to_be_visible()
    page.wait_for_function("document.activeElement.id === 'empty'")


def test_the_focus_stays_after_more_rows_came(sit_down, api):
    for n in range(60):
        api.submit(title=f"Row {n}")
    page = sit_down()
    page.goto("/console/submissions")
    page.locator(".hits-more a.button").focus()
    before = page.locator(".hit").count()
    page.keyboard.press("Enter")
    page.wait_for_function("n => document.querySelectorAll('.hit').length > n", arg=before)
    page.wait_for_function("document.activeElement.closest('.hit') !== null")


def test_the_focus_stays_on_the_link_when_live_parts_change(sit_down, apart):
    mine, address = apart
    flags(mine, 2)
    page = sit_down()
    page.goto(address)
    link = page.locator("#segments a").first
    link.focus()
    page.locator(f"{SHOWN} button.approve").dispatch_event("click")
    expect(page.locator("#notices")).to_contain_text("Approved")
    assert page.evaluate(FOCUS) != "body"


def test_escape_leaves_the_search_box(sit_down, apart):
    mine, address = apart
    flags(mine, 1)
    page = sit_down()
    page.goto(address)
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#search")).not_to_be_focused()
    assert page.evaluate(FOCUS) != "input"
