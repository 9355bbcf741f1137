"""Chromium without a window: the one that CHROMIUM names, else the one that is installed."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Page, Playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "google-chrome", "chromium-browser", "google-chrome-stable")


def look(page: Page) -> None:
    """Look at the flag that is shown for as long as a key needs to count (REVIEW_KEY_DELAY_MS)."""
    page.wait_for_timeout(300)


def launch(playwright: Playwright) -> Browser:
    """A browser, which ends with Playwright."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    return playwright.chromium.launch(executable_path=path, args=FLAGS)
