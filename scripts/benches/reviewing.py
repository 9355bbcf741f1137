"""Review by keyboard in a real Chromium.

Two moderators decide 200 flags at the same time, on a separate stack. The measured time is from the
time stamp of the key press to the frame that shows the next flag with its pictures loaded. Flags
that were decided twice or shown to both are counted.
"""

from __future__ import annotations

import io
import json
import time
from uuid import uuid4

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from models.settings import ROOT, Settings, use_settings
from scripts.benches.figures import Figure, Measure
from tests.support.api import Api, unique
from tests.support.browser import launch
from tests.support.stack import Stack, running

FLAGS = 200
GOAL = 100  # milliseconds
PAUSE = 300  # ms between key presses of one person; REVIEW_KEY_DELAY_MS ignores quicker ones
SHOWN = "[data-case]:not([hidden])"
WATCH = """() => {
  window.took = [];
  window.bare = 0;
  addEventListener("keydown", (event) => {
    if (event.key !== "a" && event.key !== "r") return;
    requestAnimationFrame(() => setTimeout(() => {
      window.took.push(performance.now() - event.timeStamp);
      const shown = document.querySelector("[data-case]:not([hidden]) .picture:first-child .shown");
      if (shown && !shown.complete) window.bare += 1;
    }));
  }, true);
}"""


def run(flags: int = FLAGS) -> list[Figure]:
    """The row ``review``, with this number of flags."""
    with running(WORKERS="1", PRIORITY_WORKERS="0", WEB_INSTANCES="1") as stack:
        _fill(stack, flags)
        with sync_playwright() as playwright:
            browser = launch(playwright)
            people = [_sit_down(browser, stack) for _ in range(2)]
            seen = _go_through(people, flags)
            took = [ms for page in people for ms in page.evaluate("window.took")]
            bare = sum(page.evaluate("window.bare") for page in people)
            browser.close()
        return [*_times(took, bare), *_counts(stack, seen), *_heatmap()]


def _fill(stack: Stack, flags: int) -> None:
    """Upload the flags: half of them pictures, half text."""
    key = json.loads(stack.run("client", "create", "Bench", "--json").stdout)["key"]
    api = Api(stack.url, key)
    for number in range(flags):
        if number % 2:
            reported = api.decided(
                title=f"Watch {number}", description="Wire transfer only, WhatsApp"
            )
        else:
            reported = api.decided(unique("review_a.jpg"), title=f"Picture {number}")
        if reported["verdict"] != "review":
            raise RuntimeError(f"not a flag: {reported}")


def _sit_down(browser: Browser, stack: Stack) -> Page:
    name = f"bench-{uuid4().hex[:6]}"
    made = stack.json("moderator", "create", name, "--role", "moderator", "--json")
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=stack.url)
    page = context.new_page()
    page.goto("/console/sign-in")
    page.fill("[name=name]", name)
    page.fill("[name=password]", made["password"])
    page.click("button.primary")
    page.wait_for_url("**/console/")
    page.goto("/console/review")
    page.evaluate(WATCH)
    page.wait_for_timeout(1500)
    return page


def _go_through(people: list[Page], flags: int) -> list[set[str]]:
    """Both press keys in turn until no flag is left; returns what each of them saw."""
    seen: list[set[str]] = [set() for _ in people]
    until = time.monotonic() + flags * 2
    while sum(map(len, seen)) < flags and time.monotonic() < until:
        for page, mine in zip(people, seen, strict=True):
            job_id = page.evaluate(f"document.querySelector('{SHOWN}')?.dataset.id ?? ''")
            if job_id and job_id not in mine:
                mine.add(job_id)
                page.keyboard.press("a" if len(mine) % 2 else "r")
        people[0].wait_for_timeout(PAUSE)
    for page in people:
        page.wait_for_timeout(1500)
    return seen


def _times(took: list[float], bare: int) -> list[Figure]:
    measure = Measure.of(took, "ms")
    p95 = measure.p95 or max(took)
    return [
        Figure(
            "review", "key press to the next flag painted: p95", Measure(p95, "ms"),
            goal=f"≤ {GOAL} ms", met=p95 <= GOAL,
        ),
        Figure("review", "key press to the next flag painted: p50", measure),
        _none("flags painted before their picture was there", bare),
    ]  # fmt: skip


def _counts(stack: Stack, seen: list[set[str]]) -> list[Figure]:
    total, distinct = stack.sql(
        "SELECT count(*), count(DISTINCT submission_id) FROM decision"
        " WHERE moderator_id IS NOT NULL AND undoes IS NULL"
    )[0]
    return [
        _none(f"flags decided twice, of {total} decisions of two people at once", total - distinct),
        _none("flags shown to both", len(seen[0] & seen[1])),
    ]


def _none(what: str, count: int) -> Figure:
    return Figure("review", what, Measure(count, "flags"), goal="0", met=count == 0)


def _heatmap() -> list[Figure]:
    """The cost of one heatmap for a worker beyond decoding: another inference and a small file."""
    from tasks.heatmaps import activation_map
    from tasks.moderation import checks

    use_settings(Settings())
    view = Image.open(ROOT / "tests/fixtures/review_a.jpg").convert("RGB").resize((256, 256))
    checks.engine().score([view])  # a worker already has this loaded
    before = _memory()
    activation_map.heatmap(view)
    grown = _memory() - before
    times, written = [], io.BytesIO()
    for _ in range(15):
        written, began = io.BytesIO(), time.perf_counter()
        activation_map.layer(activation_map.heatmap(view), (320, 213)).save(
            written, "WEBP", quality=80, method=2
        )
        times.append((time.perf_counter() - began) * 1000)
    note = "a heatmap's memory goes 20 s after the last one"
    return [
        Figure("review", "heatmap: one picture", Measure.of(times, "ms")),
        Figure("review", "heatmap: its file", Measure(len(written.getvalue()) / 1024, "kB")),
        Figure("review", "heatmap: memory of a worker", Measure(grown, "MB"), note=note),
    ]


def _memory() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss) / 1024**2
