"""Everything in one go: two commands, the setup link, ``curl``, a worker, a moderator's click."""

from __future__ import annotations

import json
import re
import subprocess

from playwright.sync_api import Browser, Page, expect

from tests.support.api import PICTURES, eventually
from tests.support.stack import ROOT


def curl(line: str) -> dict:
    """The reply to a line that was copied from the console, run in a shell."""
    done = subprocess.run(
        ["sh", "-c", line.replace("curl ", "curl -sS ", 1)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    return json.loads(done.stdout)


def set_up(page: Page, link: str) -> str:
    """Make the administrator and a first client; returns the page's ``curl`` line."""
    page.goto(link)
    page.fill("[name=name]", "Mara K.")
    page.fill("[name=password]", "four unrelated words stand")
    page.click("button.primary")
    page.fill("[name=name]", "My site")
    page.click("button.primary")
    return page.locator("#line").inner_text()


def test_from_a_fresh_start_to_the_moderators_click(new_stack, browser: Browser) -> None:
    stack = new_stack(UNDO_SECONDS="1", SYNC_TIMEOUT="30")  # the machine may be busy
    printed = stack.up().stdout
    link = re.search(r"http://\S+/console/setup/\S+", printed)
    assert link
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    line = set_up(page, link[0])

    page.goto(f"{stack.url}/console/")
    expect(page.get_by_text("Sync").first).to_be_visible()
    told = curl(line)
    assert (told["status"], told["verdict"]) == ("decided", "approved")
    flagged = curl(f"{line} -F images=@{PICTURES / 'review_b.jpg'}")
    assert (flagged["verdict"], flagged["visible"]) == ("review", False)
    expect(page.locator("nav a", has_text="Review")).to_contain_text("1")  # by itself

    page.click("nav a:has-text('Review')")
    case = page.locator("[data-case]:not([hidden])")
    expect(case).to_have_attribute("data-id", flagged["job_id"])
    expect(page.get_by_text("The classifier scored").first).to_contain_text(
        "(with full contrast) at 0.62"
    )
    case.locator("button.approve").click()
    key = line.split("Bearer ")[1].split('"')[0]
    ask = f'curl -H "Authorization: Bearer {key}" {flagged["check_url"]}'
    after = eventually(lambda: told if (told := curl(ask))["verdict"] == "approved" else None)
    assert after["visible"] is True
    rows = stack.sql(
        "SELECT from_verdict, to_verdict, moderator_id IS NULL FROM decision"
        " WHERE submission_id = %s ORDER BY id",
        flagged["job_id"],
    )
    assert rows == [(None, "review", True), ("review", "approved", False)]
    page.context.close()
