"""Submissions: the search, and the page of a single one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import redis
from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_login import login_required

from models.audit.log import Audit
from models.authors import listing
from models.database.connection import row_id
from models.labels.label_index import labels
from models.moderation.decision import Decision
from models.policies.policy import DEFAULT_SURFACE
from models.review import eligibility
from models.settings import get_settings
from models.sheets import csv_json
from models.submissions import representation, search
from models.submissions.image import Image
from models.submissions.search_conditions import Search
from models.submissions.submission import Submission
from models.verdict import VERDICTS
from models.webhooks.delivery import Delivery
from tasks.queue.lanes import enqueue_drawing
from webapp.console.review.pages import find
from webapp.console.shared import formatting
from webapp.console.shared.cards import Card, cards
from webapp.console.submissions import search_form
from webapp.console.submissions.search_form import Form
from webapp.http import fragments
from webapp.http.replica_reads import from_replica
from webapp.signin import auth

MOST_NAMED = 4  # authors, and uploads with an external id, above the results
TRIES = 20  # polls for thumbnails, one per second
COLUMNS = (
    "id",
    "created_at",
    "client",
    "author",
    "external_id",
    "surface",
    "title",
    "verdict",
    "status",
    "mode",
    "priority",
    "score",
    "visible",
    "review_owed",
    "reasons",
    "decided_at",
)

pages = Blueprint("submissions", __name__, url_prefix="/console/submissions")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.get("")
@login_required
@from_replica
def index() -> Any:
    """Submissions, newest first, filtered by the URL."""
    form = search_form.read(request.args)
    submission_id = _by_id(form)
    if submission_id is not None:
        return redirect(url_for("submissions.show", submission_id=submission_id))
    after = _uuid(request.args.get("after"))
    page = (
        search.SearchPage([], None, full=False) if form.faults else search.page(form.search, after)
    )
    values = {
        "form": form,
        "page": page,
        "after": after,
        "rows": cards(page.rows(), get_settings(), authors=False),
        "choices": _choices(),
        "modes": search_form.MODES,
        "filter_words": search_form.WORDS,
        "shown": _shown,
        **_named(form, after),
    }
    if not fragments.is_requested():
        return render_template("submissions/list.html", **values), 422 if form.faults else 200
    if after is not None:
        return render_template("submissions/_rows.html", **values)
    response = Response(render_template("submissions/_results.html", **values))
    response.headers["HX-Push-Url"] = form.address()
    return response


@pages.get("/count")
@login_required
@from_replica
def count() -> str:
    """The number of matches; beyond 1000 it is an estimate, which is cheap."""
    form = search_form.read(request.args)
    number, exact = (0, True) if form.faults else search.count(form.search)
    return render_template("submissions/_count.html", number=number, exact=exact, most=1000)


@pages.get("/export.csv")
@login_required
@auth.decides
def export() -> Any:
    """All matches as a CSV stream."""
    form = search_form.read(request.args)
    if form.faults:
        return redirect(form.address())
    Audit.append(
        "submissions.export", "submissions", moderator_id=auth.moderator().id, **form.values
    )
    response = Response(_csv(form.search), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="submissions.csv"'
    response.headers["X-Accel-Buffering"] = "no"
    return response


@pages.get("/<uuid:submission_id>")
@login_required
def show(submission_id: UUID) -> str:
    """One submission: pictures, texts, findings, decisions, deliveries and the author."""
    row = find(submission_id)
    (card,) = cards([row], get_settings())
    query = Delivery.select().where(Delivery.submission == submission_id)
    return render_template(
        "submissions/page.html",
        card=card,
        deliveries=list(query.order_by(Delivery.created_at)),
        decisions=_decisions(submission_id),
        own_appeals=eligibility.own_appeals([row], auth.moderator()),
        done=_done(submission_id),
        drawing=_draw(card, 0),
        undo_seconds=get_settings().undo_seconds,
        modes=search_form.MODES,
    )


@pages.get("/<uuid:submission_id>/pictures")
@login_required
def pictures(submission_id: UUID) -> str:
    """The pictures only, for a page that polls for their thumbnails."""
    (card,) = cards([find(submission_id)], get_settings(), authors=False)
    attempt = row_id(request.args.get("try", ""))
    drawing = _draw(card, TRIES if attempt is None else attempt)
    return render_template("submissions/_drawn.html", card=card, drawing=drawing)


def _draw(card: Card, attempt: int) -> int | None:
    """Request missing thumbnails; returns the number of the next poll, or None to stop."""
    missing = [image for image in card.images if _is_drawable(image, card)]
    if not missing or attempt >= TRIES:
        return None
    try:
        if attempt == 0:
            enqueue_drawing(card.submission.id)
    except redis.RedisError:
        return None
    return attempt + 1


def _is_drawable(image: Image, card: Card) -> bool:
    """Whether the picture has no thumbnail yet and a worker can make one."""
    unreadable = any(f.check == "pictures" and f.image == image.position for f in card.findings)
    return not image.thumbnail and not unreadable and card.submission.is_decided


def _decisions(submission_id: UUID) -> dict[str, Any]:
    """The last decision, if it is this moderator's own and can be undone."""
    last = (
        Decision.select()
        .where(Decision.submission == submission_id)
        .order_by(Decision.id.desc())
        .first()
    )
    mine = last is not None and last.moderator_id == auth.moderator().id
    undoable = mine and last.undoes_id is None and last.from_verdict is not None
    return {"mine": last if undoable and auth.moderator().can_decide else None}


def _done(submission_id: UUID) -> Decision | None:
    """The decision that redirected to this page, for the notice with its undo button."""
    decision: Decision | None = Decision.get_or_none(
        Decision.id == row_id(request.args.get("done", "")),
        Decision.submission == submission_id,
        Decision.moderator == auth.moderator().id,
    )
    return decision


def _by_id(form: Form) -> UUID | None:
    """The submission whose id was typed into the search field."""
    number = _uuid(form.values.get("text"))
    if number is None or not Submission.select().where(Submission.id == number).exists():
        return None
    return number


def _named(form: Form, after: UUID | None) -> dict[str, Any]:
    """What is named by the text: authors whose id begins with it, uploads with the site's id."""
    text, client_id = form.search.text, form.search.client_id
    if not text or form.faults or after is not None:
        return {"authors": [], "externals": []}
    rows = Submission.with_external_id(text, client_id, MOST_NAMED)
    found = listing.named(text, client_id, limit=MOST_NAMED) if len(text) > 1 else None
    return {
        "authors": found.lines if found else [],
        "more_authors": bool(found and found.next),
        "externals": cards(rows, get_settings(), authors=False),
    }


def _choices() -> dict[str, Any]:
    return {
        "verdict": [(name, name.capitalize()) for name in VERDICTS],
        "clients": search_form.clients(),
        "labels": [(name, formatting.label(name)) for name in labels.get().names],
        "checks": search_form.CHECKS,
    }


def _shown(name: str, value: str) -> str:
    """The display text of a filter value."""
    if name == "client":
        names: dict[Any, str] = dict(search_form.clients())
        return names.get(row_id(value), value)
    named = {"mode": search_form.MODES, "check": search_form.CHECKS}.get(name)
    if named:
        return named[value]
    return formatting.label(value) if name == "label" else value


def _csv(criteria: Search) -> Iterator[str]:
    batches = search.everything(criteria)
    return csv_json.csv_chunks(COLUMNS, (_cells(row) for rows in batches for row in rows))


def _cells(row: Submission) -> tuple[Any, ...]:
    return (
        row.id,
        _time(row.created_at),
        row.client.name,
        row.user_id,
        row.external_id,
        row.surface or DEFAULT_SURFACE,
        row.title,
        row.verdict,
        row.status,
        row.mode,
        row.priority,
        None if row.score is None else f"{row.score:.4f}",
        "yes" if row.visible else "no",
        "yes" if row.review_owed else "no",
        " ".join(representation.labels_of(representation.reasons_of(row))),
        _time(row.decided_at),
    )


def _time(at: Any) -> str:
    return at.isoformat(timespec="seconds") if at else ""


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
