"""The administrators' pages in a browser: fit, accessible, and the second step by its QR page."""

from __future__ import annotations

import re
import time
from uuid import uuid4

import pyotp
import pytest
from playwright.sync_api import Page, expect

from tests.support.looks import SIZES, looks_right

NAMES = {
    "long": "Einsehrlangeswortohnezwischenraumdasniemalsendenwill",
    "rtl": "سوق الحي القديم",
    "emoji": "🪑 Chairs & <b>more</b> 🛋️",
}
PAGES = (
    "clients/",
    "clients/new",
    "clients/{client}",
    "alerts/",
    "deliveries/",
    "deliveries/?state=dead",
    "deliveries/?event=appeal.decided&state=cancelled",
    "team/",
    "account/",
    "account/preferences",
    "audit/",
    "audit/?who=nobody-of-this-name",
    "audit/check",
    "settings/",
)


@pytest.fixture(scope="module")
def filled(stack) -> int:
    """Clients and deliveries of every awkward kind; the number of a client."""
    for name in NAMES.values():
        url = f"https://{'very-' * 20}long.example.org/hook"
        stack.run("client", "create", f"{name} {uuid4().hex[:4]}", "--webhook", url)
    stack.sql(
        "INSERT INTO delivery (id, client_id, event, payload, state, outcome, due_at)"
        " SELECT gen_random_uuid(), id, 'submission.decided', '{}', state, 'status 500',"
        " now() + interval '1 hour' FROM client, unnest(ARRAY['dead', 'owed', 'delivered']) state"
        " WHERE webhook_url LIKE '%%very-%%'"
    )
    return stack.sql("SELECT max(id) FROM client WHERE webhook_url LIKE '%%very-%%'")[0][0]


@pytest.mark.parametrize("size", SIZES)
def test_pages_are_accessible_and_fit(sit_down, filled, size):
    width, height = SIZES[size]
    page = sit_down("administrator", width, height)
    for path in PAGES:
        looks_right(page, "/console/" + path.format(client=filled), 0)


def test_a_viewer_finds_no_button_that_is_refused(sit_down, filled):
    page = sit_down("viewer")
    for path in PAGES:
        if path not in ("clients/new", "audit/check", "account/", "account/preferences"):
            page.goto("/console/" + path.format(client=filled))
            assert page.locator("main form[method=post]").count() == 0, path


def test_an_invitation_is_copied_and_used(sit_down):
    page = sit_down("administrator")
    page.goto("/console/team/")
    page.get_by_role("radio", name="Viewer").check()
    page.get_by_role("button", name="Create a link").click()
    link = page.locator("#link").inner_text()
    other = page.context.browser.new_context().new_page()
    other.goto(link)
    other.fill("[name=name]", f"Invited {uuid4().hex[:6]}")
    other.fill("[name=password]", "four unrelated words")
    other.click("button.primary")
    expect(other.locator(".me-name small")).to_have_text("viewer")
    other.context.close()


def test_the_menu_of_a_person_shuts_them_out(sit_down):
    other = sit_down("moderator")
    name = other.locator(".me-name strong").inner_text()
    page = sit_down("administrator")
    page.goto("/console/team/")
    row = page.locator("tr", has_text=name)
    row.locator("summary").click()
    row.get_by_role("button", name="Disable").click()
    expect(page.locator("tr", has_text=name).get_by_text("disabled")).to_be_visible()
    other.goto("/console/")
    assert "/sign-in" in other.url


def code(secret: str) -> str:
    return pyotp.TOTP(secret).at(int(time.time()))


def test_the_second_step_from_the_qr_page_to_the_next_sign_in(sit_down, stack):
    page: Page = sit_down()
    name = page.locator(".me-name strong").inner_text()
    password = stack.json("moderator", "reset", name, "--json")["password"]
    sign_in(page, name, password)
    page.goto("/console/account/")
    page.locator("#second-step [name=current]").fill(password)
    page.get_by_role("button", name="Set up").click()
    box = page.locator("svg.qr").bounding_box()
    assert box and box["width"] == box["height"] >= 200
    secret = page.locator("#secret").inner_text().replace(" ", "")
    page.fill("[name=code]", code(secret))
    page.get_by_role("button", name="Turn on").click()
    codes = page.locator("#codes").inner_text().split()
    assert len(codes) == 10
    page.context.clear_cookies()
    sign_in(page, name, password)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    page.fill("[name=code]", codes[0])
    page.click("button.primary")
    page.wait_for_url("**/console/")


def sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/console/sign-in")
    page.fill("[name=name]", name)
    page.fill("[name=password]", password)
    page.click("button.primary")
    page.wait_for_url(re.compile(r"/console/(sign-in/second-step)?$"))


def test_preferences_blur_less_without_a_script_of_the_page(sit_down):
    page = sit_down()
    page.goto("/console/account/preferences")
    page.get_by_role("radio", name="Light").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    blur = "getComputedStyle(document.body).getPropertyValue('--blur')"
    assert page.evaluate(blur) == "8px"


def test_pages_work_without_javascript(browser, stack):
    name = f"plain-{uuid4().hex[:6]}"
    made = stack.json("moderator", "create", name, "--role", "administrator", "--json")
    context = browser.new_context(base_url=stack.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, name, made["password"])
    page.goto("/console/clients/new")
    client = f"Plain {uuid4().hex[:6]}"
    page.fill("[name=name]", client)
    page.click("button.primary")
    assert page.locator("#key").inner_text().startswith("sk_")
    page.goto(f"/console/audit/?who={name}")
    expect(page.locator(".act")).to_contain_text(client)
    context.close()
