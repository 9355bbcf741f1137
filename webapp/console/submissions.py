"""One submission, whole."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, current_app, render_template
from flask_login import login_required

from models.delivery import Delivery
from webapp.console.cards import cards
from webapp.console.review import find

pages = Blueprint("submissions", __name__, url_prefix="/console/submissions")


@pages.get("/<uuid:submission_id>")
@login_required
def show(submission_id: UUID) -> str:
    """Pictures, texts, findings, decisions, deliveries and the author."""
    settings = current_app.config["SETTINGS"]
    (card,) = cards([find(submission_id)], settings)
    deliveries = (
        Delivery.select().where(Delivery.submission == submission_id).order_by(Delivery.created_at)
    )
    return render_template(
        "submissions/page.html",
        card=card,
        deliveries=list(deliveries),
        undo_seconds=settings.undo_seconds,
    )
