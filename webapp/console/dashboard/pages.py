"""The dashboard."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, render_template, request
from flask_login import login_required

from webapp.console.dashboard import live_fragments
from webapp.http.replica_reads import from_replica

pages = Blueprint("dashboard", __name__, url_prefix="/console")


@pages.get("/")
@login_required
def show() -> str:
    """The current load, and charts of a range from the last hour to the last year."""
    return render_template(
        "dashboard/page.html", range=_range(), ranges=list(live_fragments.RANGES)
    )


@pages.get("/dashboard/charts")
@login_required
@from_replica
def charts() -> Any:
    """The series of the charts as JSON."""
    return jsonify(live_fragments.charts(_range()))


def _range() -> str:
    name = request.args.get("range", "hour")
    return name if name in live_fragments.RANGES else "hour"
