"""A real Chromium, and people who sit before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.api import Api
from tests.support.browser import launch
from tests.support.stack import Stack

expect.set_options(timeout=20_000)  # ms; a busy machine is no failure


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield launch(playwright)


@pytest.fixture
def apart(stack: Stack, new_client: Callable[..., str]) -> tuple[Api, str]:
    """A new client, so that no other test has its flags open: (its API, the review's address)."""
    name = f"apart-{uuid4().hex[:8]}"
    mine = Api(stack.url, new_client(name))
    number = stack.sql("SELECT id FROM client WHERE name = %s", name)[0][0]
    return mine, f"/console/review?client={number}"


@pytest.fixture
def sit_down(browser: Browser, stack: Stack) -> Iterator[Callable[..., Page]]:
    """Somebody new signs in: ``sit_down("viewer", color_scheme="dark")`` is the page before them.

    Whatever the page's scripts complain of fails the test.
    """
    pages, faults = [], []

    def sit(role: str = "moderator", width: int = 1440, height: int = 900, **more: object) -> Page:
        name = f"{role}-{uuid4().hex[:6]}"
        made = stack.json("moderator", "create", name, "--role", role, "--json")
        context = browser.new_context(
            viewport={"width": width, "height": height}, base_url=stack.url, **more
        )
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto("/console/sign-in")
        page.fill("[name=name]", name)
        page.fill("[name=password]", made["password"])
        page.click("button.primary")
        page.wait_for_url("**/console/")
        pages.append(page)
        return page

    yield sit
    for page in pages:
        page.context.close()
    assert not faults
