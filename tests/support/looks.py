"""How every page must look: accessible in both schemes, and no wider than its window."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SIZES = {"wide": (1440, 900), "phone": (390, 844)}
_axe = Axe()


def looks_right(page: Page, path: str, settles: float = 0.4) -> None:
    """Open an address, which is still after some seconds, and look at it by day and by night."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    reply = page.goto(path)
    assert reply is not None and reply.status < 500, path
    page.wait_for_timeout(1000 * settles)
    looks_right_now(page, f"{path} by day")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(200)
    looks_right_now(page, f"{path} by night")


def looks_right_now(page: Page, name: str) -> None:
    """Look at what is open."""
    found = [violation["id"] for violation in _axe.run(page).response["violations"]]
    assert not found, f"{name}: {found}"
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{name} is {wide} pixels too wide"
