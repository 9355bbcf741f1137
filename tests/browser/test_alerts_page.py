"""An alert comes and goes on the dashboard by itself, and stands well on every screen."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.looks import SIZES, looks_right

# Of another host, so that this stack's standby leaves it alone.
BEGIN = (
    "INSERT INTO alert (rule, subject, level, sentence, reading, bound, started_at, seen_at)"
    " SELECT rule, 'elsewhere.example.org', 'critical', repeat('A long sentence. ', 12), 97.5, 85,"
    " now() - interval '2 hours', now() + interval '1 hour'"
    " FROM unnest(ARRAY['memory', 'disk', 'workers', 'gone']) rule"
)
END = "UPDATE alert SET ended_at = now() WHERE subject = 'elsewhere.example.org'"


@pytest.fixture
def alerting(stack):
    """Four alerts, one of a rule that there is no more."""
    stack.sql(BEGIN)
    yield
    stack.sql("DELETE FROM alert WHERE subject = 'elsewhere.example.org'")


def test_an_alert_comes_and_goes_without_a_reload(sit_down, stack):
    page = sit_down("viewer")
    strip = page.locator(".alert-strip")
    expect(strip).to_be_hidden()
    stack.sql(BEGIN)
    expect(strip.locator(".alert")).to_have_count(3)
    expect(strip).to_contain_text("Memory is short on elsewhere.example.org")
    expect(strip).to_contain_text("97.5 %, threshold 85 %")
    strip.get_by_role("link", name="1 more alert").click()
    expect(page.locator(".alert")).to_have_count(4)
    stack.sql(END)
    expect(page.get_by_text("No open alerts")).to_be_visible()
    page.reload()
    expect(page.locator("table.ledger")).to_contain_text("Memory is short")
    stack.sql("DELETE FROM alert WHERE subject = 'elsewhere.example.org'")


@pytest.mark.parametrize("size", SIZES)
def test_alerts_are_accessible_and_fit(sit_down, alerting, size):
    page = sit_down("administrator", *SIZES[size])
    for path in ("", "alerts/"):
        looks_right(page, f"/console/{path}")
        expect(page.locator(".alert").first).to_be_visible()
