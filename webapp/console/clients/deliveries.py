"""Deliveries: webhook calls that were delivered, are pending, or are dead."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required

from models.clients.client import Client
from models.database.connection import row_id
from models.errors import Conflict
from models.settings import get_settings
from models.webhooks import delivery
from models.webhooks.delivery import EVENTS, STATES, Delivery, DeliveryFilter
from webapp.console.shared import list_filter
from webapp.http import fragments
from webapp.signin import auth

ROWS = 50
FAILURES = {
    "timeout": "no response within 15 seconds",
    "dns": "host name not found",
    "refused": "connection refused",
    "unreachable": "network unreachable",
    "reset": "connection reset",
    "no reply": "connection closed without a response",
    "tls": "TLS failed: certificate or handshake",
    "unsigned": "not called: the secret cannot be decrypted, rotate it",
    "private address": "not called: the address is not on the public internet",
    "too large": "response headers too large",
    "garbled": "the response is not HTTP",
    "off": "expired after three days with the webhook off",
    "undone": "cancelled: the decision was undone",
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
    503: "unavailable",
    504: "gateway timeout",
}

pages = Blueprint("deliveries", __name__, url_prefix="/console/deliveries")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.app_template_filter("outcome_words")
def outcome(name: str | None) -> str:
    """The outcome of a call in words."""
    if not name:
        return "not tried yet"
    if name.startswith("status ") and row_id(name[7:]) is not None:
        status = int(name[7:])
        if 300 <= status < 400:
            return f"status {status}: redirects are not followed"
        meaning = STATUSES.get(status)
        return f"status {status}: {meaning}" if meaning else f"status {status}"
    return FAILURES.get(name, name)


@pages.get("/")
@login_required
def show() -> str:
    """The deliveries of the filter, newest first; ``before`` is the last id of the page before."""
    chosen, before = _filter(), _uuid(request.args.get("before"))
    rows = Delivery.page(chosen, ROWS + 1, before)
    values: dict[str, Any] = {"rows": rows[:ROWS], "query": _query(chosen), "older": None}
    if len(rows) > ROWS:
        query = {**_query(chosen), "before": rows[ROWS - 1].id}
        values["older"] = url_for("deliveries.show", **query)
    if fragments.is_requested() and before:
        return render_template("deliveries/_rows.html", **values)
    return render_template(
        "deliveries/page.html",
        chosen=chosen,
        counts=delivery.counts(chosen),
        clients=list(Client.select(Client.id, Client.name).order_by(Client.name)),
        webhooks=Client.select().where(Client.webhook_url.is_null(False)).exists(),
        states=STATES,
        events=EVENTS,
        held=get_settings().hold_webhooks,
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
    """Queue the delivery again with the same id."""
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
    """Queue all dead deliveries of a client and event again."""
    chosen = _filter()
    delivery.resend_dead(chosen, auth.moderator())
    query = {**_query(chosen), "state": "owed"}
    return redirect(url_for("deliveries.show", **query), 303)


def _filter() -> DeliveryFilter:
    values = request.values
    client, event, state = (values.get(name, "") for name in ("client", "event", "state"))
    chosen = list_filter.client(client)
    return DeliveryFilter(
        chosen.id if chosen else None,
        event if event in EVENTS else "",
        state if state in STATES else "",
    )


def _query(chosen: DeliveryFilter) -> dict[str, Any]:
    values = {"client": chosen.client, "event": chosen.event, "state": chosen.state}
    return {name: value for name, value in values.items() if value not in (None, "")}


def _pretty(payload: Any) -> str:
    return json.dumps(payload, indent=2, ensure_ascii=False)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
