"""Alerts: open ones, past ones, and the notices that were sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required

from models.alerts import alert
from models.alerts.alert import Alert, Notice
from models.alerts.rules import RULES, AlertRule, worded
from models.database.connection import row_id
from models.settings import Settings, get_settings
from webapp.http import fragments
from webapp.signin import auth

ROWS = 30
# The page where a person can act on an alert. Literal URLs: live fragments have no request context.
PAGES = {
    "model": ("/console/review?filter=debt", "Show review debt"),
    "rules": ("/console/rules", "Show rules"),
    "review_debt_age": ("/console/review?filter=debt", "Show review debt"),
    "oldest_flag_age": ("/console/review", "Start review"),
    "dead_deliveries": ("/console/deliveries/?state=dead", "Show dead deliveries"),
}

pages = Blueprint("alerts", __name__, url_prefix="/console/alerts")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.app_template_filter("action_link")
def action_link(row: Alert) -> tuple[str, str] | None:
    """URL and link text of the page where a person can act on an alert, or None."""
    return PAGES.get(row.rule)


@pages.app_template_filter("reading_and_threshold")
def reading_and_threshold(row: Alert) -> str:
    """The reading and its threshold: ``91 %, threshold 85 %``; empty if the threshold is 0."""
    rule = row.known
    if rule is None or not row.bound:
        return ""
    return f"{worded(row.reading, rule.unit)}, threshold {worded(row.bound, rule.unit)}"


@pages.app_template_filter("duration")
def duration(row: Alert) -> str:
    """The duration of an alert, until now if it is open."""
    until = row.ended_at or datetime.now(UTC)
    return worded(max(0.0, (until - row.started_at).total_seconds()), "s")


@pages.get("/")
@login_required
def show() -> str:
    """The open and the latest past alerts; ``before`` is the last id of the page before."""
    settings = get_settings()
    before = request.args.get("before", "")
    recent = Alert.recent(ROWS + 1, row_id(before))
    over = recent[:ROWS]
    values: dict[str, Any] = {"over": over, "notices": _notices(over), "older": None}
    if len(recent) > ROWS:
        values["older"] = url_for("alerts.show", before=over[-1].id)
    if fragments.is_requested() and before:
        return render_template("alerts/_over.html", **values)
    now = Alert.open()
    values["notices"] |= _notices(now)
    return render_template(
        "alerts/page.html",
        now=now,
        rules=[(rule, _bound(rule, settings)) for rule in RULES],
        channels=alert.channels(settings.alert_urls),
        after=worded(settings.alert_after, "s"),
        **values,
    )


@pages.post("/trials")
@login_required
@auth.configures
def try_out() -> Any:
    """Send a test message to every channel."""
    settings = get_settings()
    alert.send_test(auth.moderator().name, alert.channels(settings.alert_urls))
    return redirect(url_for("alerts.show", tried=1), 303)


def _notices(alerts: list[Alert]) -> dict[int, list[Notice]]:
    """The notices of these alerts, for administrators only."""
    return Notice.of(alerts) if alerts and auth.moderator().can_configure else {}


def _bound(rule: AlertRule, settings: Settings) -> str:
    if rule.is_off(settings):
        return "off"
    return f"above {worded(rule.bound(settings), rule.unit)}" if rule.setting else "always"
