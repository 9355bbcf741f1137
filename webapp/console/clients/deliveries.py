"""Deliveries: the webhook calls that were made, are owed, or were given up."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required

from models.clients.client import Client
from models.errors import Conflict
from models.webhooks import delivery
from models.webhooks.delivery import EVENTS, STATES, Delivery, Filter
from webapp.http import fragments
from webapp.signin import auth

ROWS = 50
FAILURES = {
    "timeout": "did not answer within 15 seconds",
    "dns": "its name is not known to the name server",
    "refused": "refused the connection",
    "unreachable": "cannot be reached from here",
    "reset": "broke the connection off",
    "no reply": "closed the connection without an answer",
    "tls": "its certificate or its TLS was not accepted",
    "unsigned": "was not called: its secret cannot be read any more and must be rotated",
    "private address": "leads to an address that is not on the public internet: not called",
    "too large": "sent headers without an end",
    "garbled": "answered something that is not HTTP",
    "off": "waited for three days while the webhook was off",
    "undone": "undone before it was sent",
}
STATUSES = {
    400: "bad request",
    401: "not authorised",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    408: "timed out",
    410: "gone",
    413: "too large",
    429: "too many requests",
    500: "internal error",
    502: "bad gateway",
    503: "not available",
    504: "gateway timeout",
}

pages = Blueprint("deliveries", __name__, url_prefix="/console/deliveries")


@pages.before_request
def protect() -> None:
    """No form without its token."""
    auth.csrf.protect()


@pages.app_template_filter("outcome_words")
def outcome(name: str | None) -> str:
    """What came of a call, in words."""
    if not name:
        return "not tried yet"
    if name.startswith("status ") and name[7:].isdigit():
        status = int(name[7:])
        if 300 <= status < 400:
            return f"answered {status}: a redirect, which is not followed"
        known = STATUSES.get(status)
        return f"answered {status}: {known}" if known else f"answered {status}"
    return FAILURES.get(name, name)


@pages.get("/")
@login_required
def show() -> str:
    """The newest ones of the filter in the URL; older ones behind an id."""
    wanted, before = _wanted(), _uuid(request.args.get("before"))
    found = Delivery.page(wanted, ROWS + 1, before)
    values: dict[str, Any] = {"rows": found[:ROWS], "query": _query(wanted), "older": None}
    if len(found) > ROWS:
        query = {**_query(wanted), "before": found[ROWS - 1].id}
        values["older"] = url_for("deliveries.show", **query)
    if fragments.wanted() and before:
        return render_template("deliveries/_rows.html", **values)
    return render_template(
        "deliveries/page.html",
        wanted=wanted,
        counts=delivery.counts(wanted),
        clients=list(Client.select(Client.id, Client.name).order_by(Client.name)),
        webhooks=Client.select().where(Client.webhook_url.is_null(False)).exists(),
        states=STATES,
        events=EVENTS,
        **values,
    )


@pages.get("/<uuid:delivery_id>")
@login_required
def one(delivery_id: UUID) -> str:
    """One delivery with its payload."""
    row = Delivery.find(delivery_id)
    return render_template("deliveries/one.html", row=row, payload=_pretty(row.payload))


@pages.post("/<uuid:delivery_id>/resending")
@login_required
@auth.configures
def resend(delivery_id: UUID) -> Any:
    """Owe it again, under the same id."""
    row = Delivery.find(delivery_id)
    try:
        row.resend(auth.moderator())
    except Conflict as error:
        values = {"row": row, "payload": _pretty(row.payload), "error": error}
        return render_template("deliveries/one.html", **values), 409
    return redirect(url_for("deliveries.one", delivery_id=delivery_id, sent=1), 303)


@pages.post("/resending")
@login_required
@auth.configures
def resend_dead() -> Any:
    """Owe every dead one of a client and event again."""
    wanted = _wanted()
    delivery.resend_dead(wanted, auth.moderator())
    query = {**_query(wanted), "state": "owed"}
    return redirect(url_for("deliveries.show", **query), 303)


def _wanted() -> Filter:
    known = request.values
    client, event, state = (known.get(name, "") for name in ("client", "event", "state"))
    is_number = client.isascii() and client.isdigit() and len(client) < 19
    return Filter(
        int(client) if is_number else None,
        event if event in EVENTS else "",
        state if state in STATES else "",
    )


def _query(wanted: Filter) -> dict[str, Any]:
    values = {"client": wanted.client, "event": wanted.event, "state": wanted.state}
    return {name: value for name, value in values.items() if value not in (None, "")}


def _pretty(payload: Any) -> str:
    return json.dumps(payload, indent=2, ensure_ascii=False)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
