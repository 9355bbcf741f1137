"""The audit log: who did what and when, CSV export, and verification of the hash chain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask_login import login_required

from models.audit import hash_chain
from models.audit.log import SCRIPT, Audit, AuditFilter
from models.database import roles
from models.database.connection import connection, row_id
from models.people.moderator import Moderator
from models.sheets import csv_json
from webapp.console.operations import audit_wording
from webapp.http import fragments
from webapp.http.replica_reads import from_replica
from webapp.signin import auth

ROWS = 50
COLUMNS = ("number", "at", "who", "action", "subject", "details")

pages = Blueprint("audit", __name__, url_prefix="/console/audit")
pages.add_app_template_filter(audit_wording.words, "act_words")
pages.add_app_template_filter(audit_wording.parts, "act_parts")
pages.add_app_template_filter(audit_wording.address, "act_address")


@pages.get("/")
@login_required
@from_replica
def show() -> str:
    """The entries of the filter, newest first; ``before`` is the last id of the page before."""
    before = request.args.get("before", "")
    rows = Audit.page(_filter(), ROWS + 1, row_id(before))
    values: dict[str, Any] = {"rows": rows[:ROWS], "query": _query(), "older": None}
    if len(rows) > ROWS:
        values["older"] = url_for("audit.show", **{**_query(), "before": rows[ROWS - 1].id})
    if fragments.is_requested() and before:
        return render_template("audit/_rows.html", **values)
    names = Moderator.select(Moderator.name).order_by(Moderator.name).tuples()
    people = [(name, name) for (name,) in names]
    return render_template(
        "audit/page.html",
        people=[*people, (SCRIPT, "a script")],
        actions=Audit.actions(),
        **values,
    )


@pages.get("/export")
@login_required
@auth.configures
def export() -> Response:
    """The entries of the filter as a CSV stream."""
    headers = {"Content-Disposition": 'attachment; filename="sluice-audit.csv"'}
    return Response(_csv(_filter()), mimetype="text/csv", headers=headers)


@pages.get("/check")
@login_required
@auth.configures
def check() -> str:
    """Verify the hash chain and the database roles."""
    return render_template("audit/check.html", found=hash_chain.check(), excess=roles.excess())


def _csv(chosen: AuditFilter) -> Iterator[str]:
    with connection():
        yield from csv_json.csv_chunks(COLUMNS, (_cells(row) for row in Audit.stream(chosen)))


def _cells(row: Audit) -> tuple[Any, ...]:
    who = row.moderator.name if row.moderator_id else "a script"
    details = "; ".join(str(part) for part in audit_wording.parts(row.details))
    return row.id, row.at.isoformat(timespec="seconds"), who, row.action, row.subject, details


def _filter() -> AuditFilter:
    query = _query()
    return AuditFilter(
        who=query.get("who", ""),
        action=query.get("action", ""),
        subject=query.get("subject", ""),
        since=_day(query.get("since")),
        until=_day(query.get("until")),
    )


def _query() -> dict[str, str]:
    """The filters of the URL that are set."""
    names = ("who", "action", "subject", "since", "until")
    given = {name: request.args.get(name, "").strip()[:200].replace("\0", "") for name in names}
    given |= {name: "" for name in ("since", "until") if _day(given[name]) is None}
    return {name: value for name, value in given.items() if value}


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
