"""Rules and known images in a real browser: trying while typing, undo, selecting, both looks."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.support.api import PICTURES, unique
from tests.support.looks import SIZES, looks_right, looks_right_now

PAGES = (
    "/console/rules",
    "/console/rules/new?pattern=chair&inflections=on&language=en",
    "/console/rules/languages",
    "/console/known-images",
)


@pytest.fixture
def word() -> str:
    return "zb" + "".join(chr(ord("a") + int(digit, 16)) for digit in uuid4().hex[:10])


def add(page: Page, pattern: str, kind: str = "word") -> None:
    page.goto(f"/console/rules/new?kind={kind}")
    page.fill("[name=pattern]", pattern)
    page.get_by_role("button", name="Add the rule").click()
    expect(page.locator("#notices")).to_contain_text("Saved")


def test_what_a_rule_would_hit_shows_while_typing(sit_down, api, word):
    api.decided(title=f"Fresh {word} for sale", description="x" * 300)
    page = sit_down("administrator")
    page.goto("/console/rules/new")
    expect(page.locator("#trial")).to_contain_text("Type a pattern")
    page.locator("[name=pattern]").press_sequentially(word)
    expect(page.locator("#trial mark")).to_have_text([word])
    page.get_by_role("radio", name="Reject").check()
    expect(page.locator("#trial mark.reject")).to_have_count(1)
    page.fill("#rule-form [name=text]", f"Two: {word} and {word}")
    expect(page.locator(".trial-text mark")).to_have_count(2)
    page.get_by_role("radio", name="Regex").check()
    page.fill("[name=pattern]", "(")
    expect(page.locator("#trial .fault")).to_contain_text("is not valid")


def test_inflected_forms_show_while_typing(sit_down, word):
    page = sit_down("administrator")
    page.goto("/console/rules/new")
    page.locator("[name=pattern]").press_sequentially(word)
    page.get_by_label("Also match inflected forms").check()
    expect(page.locator(".trial-forms")).to_contain_text(f"{word}s")
    page.select_option("[name=language]", "th")
    expect(page.locator("#trial")).to_contain_text("no endings of this language")
    page.get_by_role("radio", name="Regex").check()
    expect(page.get_by_label("Also match inflected forms")).to_be_hidden()


def test_a_language_is_switched_on_with_one_click_and_keeps_the_focus(sit_down, stack):
    name = f"Switched {uuid4().hex[:6]}"
    stack.run("client", "create", name)
    page = sit_down("administrator")
    page.goto("/console/rules")
    page.get_by_text("Languages in use").click()
    page.get_by_label("Show and switch for").select_option(label=name)
    switch = page.get_by_role("switch", name=f"Swedish for {name}")
    expect(switch).to_have_attribute("aria-checked", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(switch).to_be_focused()
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "false")


def test_a_removed_rule_stays_in_its_place_with_its_undo(sit_down, word):
    page = sit_down("administrator")
    add(page, word)
    page.goto(f"/console/rules?q={word}")
    page.get_by_role("button", name=f"Remove {word}").click()
    row = page.locator(".rule")
    expect(row).to_contain_text("removed")
    row.get_by_role("button", name="Undo").click()
    expect(row.get_by_role("switch")).to_have_attribute("aria-checked", "true")
    row.get_by_role("switch").click()
    expect(row.get_by_role("switch")).to_have_attribute("aria-checked", "false")


def test_the_filter_follows_typing_and_stands_in_the_address(sit_down, word):
    page = sit_down("administrator")
    add(page, word)
    page.goto("/console/rules")
    page.fill("[name=q]", word)
    expect(page.locator(".rule")).to_have_count(1)
    expect(page).to_have_url(re.compile(f"rules[?]q={word}$"))
    expect(page.locator("[data-export]").first).to_have_attribute(
        "href", f"/console/rules/export.csv?q={word}"
    )
    page.select_option("[name=state]", "off")
    expect(page.locator("#rules")).to_contain_text("No rule matches this filter")
    page.reload()
    expect(page.locator("[name=q]")).to_have_value(word)
    expect(page.locator("#rules")).to_contain_text("No rule matches this filter")


def test_selected_rules_are_switched_with_one_press(sit_down, word):
    page = sit_down("administrator")
    for end in "abc":
        add(page, word + end)
    page.goto(f"/console/rules?q={word}")
    off = page.get_by_role("button", name="Switch selected off")
    expect(off).to_be_disabled()
    page.get_by_role("checkbox", name="Select all shown").check()
    expect(page.locator("[data-picked]")).to_have_text("3 selected")
    off.click()
    expect(page.locator("#notices")).to_contain_text("3 rules switched off")
    expect(page.locator(".rule.off")).to_have_count(3)
    page.locator("#notices").get_by_role("button", name="Undo").click()
    expect(page.locator(".rule.off")).to_have_count(0)


def test_trying_and_adding_work_without_javascript(sit_down, api, word):
    api.decided(title=f"Fresh {word} for sale")
    page = sit_down("administrator", java_script_enabled=False)
    page.goto("/console/rules/new")
    page.fill("[name=pattern]", word)
    page.get_by_role("button", name="Try").click()
    expect(page.locator("#trial mark")).to_have_text([word])
    page.get_by_role("button", name="Add the rule").click()
    page.goto(f"/console/rules?q={word}")
    page.get_by_role("button", name=f"Remove {word}").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".rule")).to_have_count(1)


def test_a_picture_is_added_and_removed_with_its_undo(sit_down, tmp_path, stack):
    path = tmp_path / "picture.jpg"
    path.write_bytes(unique((PICTURES / "safe_coffee.jpg").read_bytes()))
    note = f"Coffee {uuid4().hex[:8]}"
    page = sit_down("moderator")
    page.goto("/console/known-images")
    if not page.locator("details.known-add[open]").count():
        page.click("summary")
    page.set_input_files("[name=images]", path)
    page.select_option("[name=action]", "allow")
    page.fill("[name=note]", note)
    page.get_by_role("button", name="Add").click()
    row = page.locator(".rule.known", has_text=note).last
    expect(row).to_contain_text("allow")
    row.get_by_role("button").click()
    expect(row.get_by_role("button", name="Undo")).to_be_visible()
    row.get_by_role("button", name="Undo").click()
    expect(row.get_by_role("button", name="Remove")).to_be_visible()


@pytest.mark.parametrize("size", SIZES)
def test_pages_are_accessible_and_fit(sit_down, size, word):
    width, height = SIZES[size]
    page = sit_down("administrator", width, height)
    add(page, f"{word} " + "Donaudampfschifffahrtsgesellschaft " * 10, "phrase")
    for path in (page.url, *PAGES):
        looks_right(page, path)
    page.goto("/console/rules")
    page.get_by_text("Languages in use").click()
    looks_right_now(page, "open languages")
