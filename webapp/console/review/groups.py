"""Groups: related flags, decided together."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request
from flask_login import login_required

from models.errors import Invalid
from models.review import eligibility, groups
from tasks.observability import metrics
from webapp.console.review import claimed
from webapp.console.review.pages import find
from webapp.console.shared.cards import cards
from webapp.signin import auth

pages = Blueprint("groups", __name__, url_prefix="/console/reviews")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.get("/<uuid:submission_id>/group")
@login_required
def show(submission_id: UUID) -> str:
    """The flags of a client that look alike, or share an author or a rule, within the filter.

    The page's script selects those that were on screen.
    """
    by = request.args.get("by", groups.KINDS[0])
    distance, chosen = claimed.settings().pdq_max_distance, claimed.chosen()
    of = find(submission_id)
    rows = groups.members(submission_id, by, distance, chosen)
    members = cards(rows, claimed.settings(), authors=False)
    (card,) = [one for one in members if one.submission.id == of.id]
    card.related.update(groups.counts([of.id], distance, chosen).get(of.id, {}))
    return render_template(
        "review/group.html",
        by=by,
        card=card,
        members=members,
        most=groups.MOST,
        rule=groups.rule_of(of.id) if by == "rule" else None,
        own_appeals=eligibility.own_appeals(rows, auth.moderator()),
        **claimed.frame(),
    )


@pages.post("/group/decision")
@login_required
@auth.decides
def decide() -> Any:
    """Decide all selected flags with one verdict."""
    verdict, _, label = request.form.get("outcome", "").partition(":")
    outcome = groups.decide(
        [_chosen(text) for text in request.form.getlist("item")],
        auth.moderator(),
        verdict=verdict,
        label=label,
        settings=claimed.settings(),
    )
    for _ in range(outcome.decided):
        metrics.verdict(verdict, "", metrics.PERSON)
    left = outcome.left_out or None
    return redirect(claimed.address(done=outcome.decision, left=left), 303)


def _chosen(text: str) -> tuple[UUID, int]:
    """The id and version of a selected checkbox, sent as ``id:version``."""
    number, _, version = text.partition(":")
    submission_id = claimed.uuid(number)
    if submission_id is None or not version.isdecimal() or len(version) > 9:
        raise Invalid("An item must be a submission id and a version.", field="item")
    return submission_id, int(version)
