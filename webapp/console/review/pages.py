"""Review: single flags, or all flags in a list."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID

import redis
from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required

from models.errors import NotFound
from models.moderation.decision import Decision
from models.review import block, claims, eligibility
from models.review import decide as review
from models.review.undo import undo as undo_decision
from models.submissions.image import Image
from models.submissions.submission import Submission
from tasks.hash_bank import request_hash
from tasks.observability import metrics
from tasks.queue import lanes
from webapp.console.review import claimed as deck
from webapp.console.shared.cards import cards, icon
from webapp.http import fragments
from webapp.signin import auth

TRIES = 30  # polls for a heatmap, 0.7 s apart
ROWS = 40  # per page of the list
LEAVING = 5  # seconds that claims last after the page is left: it may be a reload

pages = Blueprint("review", __name__, url_prefix="/console")
pages.add_app_template_filter(icon, "icon_of")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.get("/review")
@login_required
def show() -> str:
    """The flags to review; viewers get the list."""
    if deck.view() == "list":
        return _list()
    claimed = deck.claim()
    if fragments.is_requested():
        return render_template("review/_decided.html", done=None, deck=claimed, **deck.frame())
    return render_template("review/page.html", deck=claimed, **_notice(), **deck.frame())


def _list() -> str:
    after = deck.uuid(request.args.get("after"))
    rows = claims.listed(deck.chosen(), ROWS + 1, after)
    listed = cards(rows[:ROWS], deck.settings(), authors=False)
    own = eligibility.own_appeals(rows, auth.moderator())
    more = len(rows) > ROWS
    values = {"rows": listed, "more": more, "after": after, "own_appeals": own, **deck.frame()}
    if fragments.is_requested():
        return render_template("review/_rows.html", **values)
    return render_template("review/list.html", **_notice(), **values)


@pages.get("/review/pause")
@login_required
@auth.decides
def pause() -> str:
    """A page without pictures for a pause; releases the moderator's claims."""
    claims.release_all(auth.moderator().id)
    return render_template("review/pause.html", **deck.frame())


@pages.post("/reviews/<uuid:submission_id>/decision")
@login_required
@auth.decides
def decide(submission_id: UUID) -> Any:
    """Store a person's verdict; a fragment returns a notice and the next flags."""
    verdict, label, blocks = (*request.form.get("outcome", "").split(":"), "", "")[:3]
    version = deck.number("version")
    if blocks == "block" and verdict == "rejected":
        decision = _block(submission_id, version, label)
    else:
        decision = review.decide(
            submission_id,
            auth.moderator(),
            version=version,
            verdict=verdict,
            label=label,
            settings=deck.settings(),
        )
    metrics.verdict(verdict, "", metrics.PERSON)
    if not fragments.is_requested():
        return redirect(_back(submission_id, done=decision), 303)
    return _next(Decision.get_by_id(decision))


def _block(submission_id: UUID, version: int, label: str) -> int:
    decision, hashes = block.block(
        submission_id,
        auth.moderator(),
        version=version,
        label=label,
        settings=deck.settings(),
        image_id=deck.uuid(request.form.get(f"picture-{submission_id}")),
    )
    with contextlib.suppress(redis.RedisError):  # the standby process enqueues it again later
        request_hash.enqueue(row.id for row in hashes if row.look_owed)
    return decision


@pages.post("/reviews/undo")
@login_required
@auth.decides
def undo() -> Any:
    """Undo a decision, or a group of them, and reopen the flags."""
    chosen = request.form.get("decision", "")
    number = int(chosen) if chosen.isdecimal() and len(chosen) < 18 else None
    rows = undo_decision(auth.moderator(), deck.settings(), number)
    for row in rows:
        metrics.verdict(row.verdict, "", metrics.PERSON)
    return _reopened(rows)


@pages.post("/reviews/<uuid:submission_id>/escalation")
@login_required
@auth.decides
def escalate(submission_id: UUID) -> Any:
    """Ask for a second opinion, or recall the request."""
    if request.form.get("recall") == "1":
        return _reopened([review.recall(submission_id, auth.moderator())])
    review.escalate(submission_id, auth.moderator(), version=deck.number("version"))
    if not fragments.is_requested():
        return redirect(_back(submission_id, escalated=submission_id), 303)
    return _next(None)


@pages.post("/reviews/<uuid:submission_id>/skip")
@login_required
@auth.decides
def skip(submission_id: UUID) -> Any:
    """Skip the flag, or take the skip back; a skipped flag returns only when no other is left."""
    if request.form.get("recall") == "1":
        return _reopened([claims.unskip(auth.moderator(), submission_id, deck.lease())])
    claims.skip(auth.moderator().id, submission_id)
    if not fragments.is_requested():
        return redirect(_back(submission_id, skipped=submission_id), 303)
    return _next(None, submission_id)


@pages.post("/reviews/hold")
@login_required
@auth.decides
def hold() -> Any:
    """Renew the claims of the open flags, or let them expire soon if the page is left."""
    leaves = request.form.get("leaving") == "1"
    claims.hold(auth.moderator().id, deck.open_ids(), LEAVING if leaves else deck.lease())
    return "", 204


@pages.get("/reviews/heat/<uuid:image_id>")
@login_required
def heat(image_id: UUID) -> Any:
    """The heatmap of a picture, or a fragment that polls until it exists."""
    image: Image | None = Image.get_or_none(Image.id == image_id)
    if image is None:
        raise NotFound("This picture does not exist.")
    reachable, tries = True, request.args.get("tries", "")
    if not image.heat and image.thumbnail and not tries:
        try:
            lanes.enqueue_heat([image.submission_id], awaited=True)
        except redis.RedisError:
            reachable = False
    if fragments.is_requested():
        polls = int(tries) if tries.isdecimal() and len(tries) < 4 else 0
        values = {"image": image, "reachable": reachable, "tries": polls + 1, "most": TRIES}
        return render_template("review/_heat.html", **values)
    if image.heat:
        return redirect(url_for("media.heat", image_id=image.id))
    return render_template("review/heat.html", image=image, reachable=reachable)


def _next(done: Decision | None, *but: UUID) -> str:
    alike = deck.alike(done.submission_id) if done and done.blocked else 0
    fresh = deck.more(*but)
    return render_template(
        "review/_decided.html", done=done, alike=alike, deck=fresh, **deck.frame()
    )


def _reopened(rows: list[Submission]) -> Any:
    rows = rows[: deck.SIZE]
    waiting = [row.id for row in rows if row.verdict == "review" or row.review_owed]
    claims.hold(auth.moderator().id, waiting, deck.lease())
    if not fragments.is_requested():
        return redirect(_back(rows[0].id), 303)
    return render_template("review/_undone.html", deck=deck.of(rows), **deck.frame())


def _notice() -> dict[str, Any]:
    """What this page follows, for the notice with its undo."""
    done, left = _done(), request.args.get("left", "")
    return {
        "done": done,
        "group_size": len(Decision.of_group(done.group_id)) if done and done.group_id else 1,
        "left_out": int(left) if left.isdecimal() and len(left) < 9 else 0,
        "escalated": deck.uuid(request.args.get("escalated")),
        "skipped": deck.uuid(request.args.get("skipped")),
    }


def _done() -> Decision | None:
    chosen = request.args.get("done", "")
    if not chosen.isdecimal() or len(chosen) > 18:
        return None
    decision: Decision | None = Decision.get_or_none(
        Decision.id == int(chosen), Decision.moderator == auth.moderator().id
    )
    return decision


def _back(submission_id: UUID, **more: Any) -> str:
    if request.form.get("from") == "submission":
        return url_for("submissions.show", submission_id=submission_id, **more)
    return deck.address(**more)


def find(submission_id: UUID) -> Submission:
    """The submission of that id; raises NotFound."""
    row: Submission | None = Submission.get_or_none(Submission.id == submission_id)
    if row is None:
        raise NotFound("There is no submission with this id.")
    return row
