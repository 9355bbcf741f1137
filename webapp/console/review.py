"""Review: one flag after the other, or all of them in a list."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_login import login_required

from models import review
from models.decision import Decision
from models.errors import Invalid, NotFound
from models.review import Filter
from models.settings import Settings
from models.submission import Submission
from webapp import auth, fragments
from webapp.console import board
from webapp.console.cards import Card, cards, icon

DECK = 6  # flags that are claimed at once: one to look at, the others ready behind it
ROWS = 40  # of the list
LEAVING = 5  # seconds that claims last after the page is left; it may only have been reloaded
FILTERS = {"all": Filter(), "priority": Filter(priority=True), "debt": Filter(debt=True)}

pages = Blueprint("review", __name__, url_prefix="/console")
pages.add_app_template_filter(icon, "icon_of")


@pages.before_request
def protect() -> None:
    """No form without its token."""
    auth.csrf.protect()


@pages.get("/review")
@login_required
def show() -> str:
    """The flags that wait; whoever may not decide sees them in the list."""
    if _view() == "list":
        return _list()
    deck = _claim()
    if fragments.wanted():
        return render_template("review/_decided.html", done=None, deck=deck, **_frame())
    return render_template("review/page.html", deck=deck, done=_done(), **_frame())


def _list() -> str:
    after = _uuid(request.args.get("after"))
    rows = review.listed(FILTERS[_filter()], ROWS + 1, after)
    listed = cards(rows[:ROWS], _settings(), authors=False)
    values = {"rows": listed, "more": len(rows) > ROWS, "after": after, **_frame()}
    if fragments.wanted():
        return render_template("review/_rows.html", **values)
    return render_template("review/list.html", done=_done(), **values)


@pages.post("/reviews/<uuid:submission_id>/decision")
@login_required
@auth.decides
def decide(submission_id: UUID) -> Any:
    """A person's verdict; a fragment tells what was done and brings the next flags."""
    verdict, _, label = request.form.get("outcome", "").partition(":")
    decision = review.decide(
        submission_id,
        auth.moderator(),
        version=_number("version"),
        verdict=verdict,
        label=label,
        settings=_settings(),
    )
    if not fragments.wanted():
        return redirect(_back(submission_id, done=decision), 303)
    return render_template(
        "review/_decided.html", done=Decision.get_by_id(decision), deck=_more(), **_frame()
    )


@pages.post("/reviews/undo")
@login_required
@auth.decides
def undo() -> Any:
    """Take a decision back and open its submission again."""
    chosen = request.form.get("decision", "")
    row = review.undo(auth.moderator(), _settings(), int(chosen) if chosen.isdigit() else None)
    if row.verdict == "review" or row.review_owed:
        review.hold(auth.moderator().id, [row.id], _settings().review_lease_seconds)
    if not fragments.wanted():
        return redirect(_back(row.id, undone=row.id), 303)
    return render_template("review/_undone.html", deck=_cards([row]), **_frame())


@pages.post("/reviews/<uuid:submission_id>/skip")
@login_required
@auth.decides
def skip(submission_id: UUID) -> Any:
    """Leave it to others; it comes back when nothing else is left."""
    review.skip(auth.moderator().id, submission_id)
    if not fragments.wanted():
        return redirect(_back(submission_id), 303)
    return render_template("review/_decided.html", done=None, deck=_more(submission_id), **_frame())


@pages.post("/reviews/hold")
@login_required
@auth.decides
def hold() -> Any:
    """Hold the claims of what is open in the browser a while longer, or let go of them soon."""
    leaves = request.form.get("leaving") == "1"
    seconds = LEAVING if leaves else _settings().review_lease_seconds
    review.hold(auth.moderator().id, _open_ids(), seconds)
    return "", 204


def _claim(*, but: tuple[UUID, ...] = (), count: int = DECK) -> list[Card]:
    rows = review.claim_next(
        auth.moderator().id,
        count,
        _settings().review_lease_seconds,
        FILTERS[_filter()],
        but=but,
    )
    return cards(rows, _settings())


def _more(*but: UUID) -> list[Card]:
    """Flags that top the browser's deck up, without those that it has."""
    if _view() == "list":
        return []
    known = tuple(_open_ids())
    return _claim(but=(*known, *but), count=max(0, DECK - len(known)))


def _cards(rows: list[Submission]) -> list[Card]:
    return cards(rows, _settings())


def _frame() -> dict[str, Any]:
    """What stands around the flags: counts by filter, and the moderator's own."""
    counts = review.counts()
    return {
        "filter": _filter(),
        "view": _view(),
        "counts": {
            "all": counts["all"],
            "priority": counts["priority"],
            "debt": Submission.count_owed(),
        },
        "decided_today": review.decided_today(auth.moderator().id),
        "undo_seconds": _settings().undo_seconds,
        "lease_seconds": _settings().review_lease_seconds,
        "modes": board.MODES,
    }


def _done() -> Decision | None:
    """The decision that this page follows, for the notice with its undo."""
    chosen = request.args.get("done", "")
    if not chosen.isdigit():
        return None
    found: Decision | None = Decision.get_or_none(
        Decision.id == int(chosen), Decision.moderator == auth.moderator().id
    )
    return found


def _back(submission_id: UUID, **more: Any) -> str:
    if request.form.get("from") == "submission":
        return url_for("submissions.show", submission_id=submission_id, **more)
    view = None if _view() == "one" else "list"
    name = None if _filter() == "all" else _filter()
    return url_for("review.show", view=view, filter=name, **more)


def _view() -> str:
    wanted = request.values.get("view", "one")
    return "list" if wanted == "list" or not auth.moderator().can_decide else "one"


def _filter() -> str:
    name = request.values.get("filter", "all")
    return name if name in FILTERS else "all"


def _open_ids() -> list[UUID]:
    known = (_uuid(text) for text in request.form.get("open", "").split(",")[: 4 * DECK])
    return [found for found in known if found]


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _number(field: str) -> int:
    text = request.form.get(field, "")
    if not text.isdigit():
        raise Invalid(f"{field} is a whole number.", field=field)
    return int(text)


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def find(submission_id: UUID) -> Submission:
    """The submission of that id; raises NotFound."""
    row: Submission | None = Submission.get_or_none(Submission.id == submission_id)
    if row is None:
        raise NotFound("There is no submission with this number.")
    return row
