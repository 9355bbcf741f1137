"""Alerts: what is wrong now, what was, and who has been told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required

from models.alerts import alert
from models.alerts.alert import Alert, Notice
from models.alerts.rules import RULES, Rule, worded
from models.settings import Settings, get_settings
from webapp.http import fragments
from webapp.signin import auth

ROWS = 30
# Where something can be done about a rule; whole addresses, since live fragments have no request.
PAGES = {
    "model": ("/console/review?filter=debt", "To the debt"),
    "review_debt_age": ("/console/review?filter=debt", "To the debt"),
    "oldest_flag_age": ("/console/review", "To the review"),
    "dead_deliveries": ("/console/deliveries/?state=dead", "To the deliveries"),
}

pages = Blueprint("alerts", __name__, url_prefix="/console/alerts")


@pages.before_request
def protect() -> None:
    """No form without its token."""
    auth.csrf.protect()


@pages.app_template_filter("way_out")
def way_out(row: Alert) -> tuple[str, str] | None:
    """Address and words of the page where something can be done about an alert, if there is one."""
    return PAGES.get(row.rule)


@pages.app_template_filter("against")
def against(row: Alert) -> str:
    """The reading against its bound: ``91 % of 85 %``; nothing where the bound is 0."""
    rule = row.known
    if rule is None or not row.bound:
        return ""
    return f"{worded(row.reading, rule.unit)}, bound {worded(row.bound, rule.unit)}"


@pages.app_template_filter("lasted")
def lasted(row: Alert) -> str:
    """How long an alert lasted, or has lasted."""
    until = row.ended_at or datetime.now(UTC)
    return worded(max(0.0, (until - row.started_at).total_seconds()), "s")


@pages.get("/")
@login_required
def show() -> str:
    """What speaks now, and the newest that are over; older ones behind a number."""
    settings = get_settings()
    before = request.args.get("before", "")
    number = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    found = Alert.recent(ROWS + 1, number)
    over = found[:ROWS]
    values: dict[str, Any] = {"over": over, "notices": _notices(over), "older": None}
    if len(found) > ROWS:
        values["older"] = url_for("alerts.show", before=over[-1].id)
    if fragments.wanted() and before:
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
    """Send a trial to every address."""
    settings = get_settings()
    alert.try_out(auth.moderator().name, alert.channels(settings.alert_urls))
    return redirect(url_for("alerts.show", tried=1), 303)


def _notices(alerts: list[Alert]) -> dict[int, list[Notice]]:
    """Who was told of some alerts, for administrators."""
    return Notice.of(alerts) if alerts and auth.moderator().can_configure else {}


def _bound(rule: Rule, settings: Settings) -> str:
    if rule.is_off(settings):
        return "off"
    return f"above {worded(rule.bound(settings), rule.unit)}" if rule.setting else "always"
