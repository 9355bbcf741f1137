"""Known images: the hash bank, adding pictures to it, and similar images."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import redis
from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_login import login_required

from models.database.connection import db
from models.errors import Invalid, SluiceError
from models.hash_bank import import_export
from models.hash_bank import listing as known_list
from models.hash_bank.known_hash import (
    ACTIONS,
    FACTS,
    KINDS,
    KnownHash,
    block_images_of,
    check,
)
from models.labels.label_index import NO_LABEL, labels
from models.settings import get_settings
from models.submissions import finding_counts
from models.submissions.image import Image
from tasks.hash_bank import request_hash
from tasks.storage import Upload
from webapp.console.review.pages import find
from webapp.console.rules import lists
from webapp.console.rules.lists import ListNotice, ListPage
from webapp.console.shared import list_filter
from webapp.http import fragments
from webapp.http.body_limits import Body, accepts
from webapp.signin import auth
from webapp.uploads import batch, sniff

KIND_WORDS = {"sha256": "Exact copies", "pdq": "Look-alikes"}
LIST = ListPage(
    page="known_images",
    path="/known-images",
    listing=known_list,
    filter_type=known_list.KnownHashFilter,
    sheets=import_export,
    facts=FACTS,
    fixed_choices={
        "kind": KINDS,
        "action": ACTIONS,
        "state": known_list.STATES[1:],  # the first is the default without a filter
    },
    any_words={
        "kind": "Any kind",
        "action": "Any action",
        "label": "Any label",
        "state": "Active",
    },
    title="Known images",
    singular="known image",
    plural="known images",
    list_id="known",
    search_label="Search in notes, or the start of a hash",
    search_hint="Note or start of a hash",
    picture="fingerprint",
    more_words="Older entries",
    value_words=KIND_WORDS,
)

PICTURES = Body(size=None, files=True, signed_in=True)
pages = Blueprint("known_images", __name__, url_prefix="/console")
pages.add_app_template_filter(lambda value: bytes(value).hex(), "hexadecimal")
lists.add_sheet_pages(pages, LIST)


@pages.get("/known-images")
@login_required
def show() -> str:
    """The known images of the filter, newest first."""
    return render_template(LIST.template(), done=_done(), form={}, **_listed())


@pages.post("/known-images")
@accepts(PICTURES)
@login_required
@auth.decides
def add() -> Any:
    """Add pictures: the exact hash now, the perceptual hash when a worker has computed it."""
    try:
        made = _learn(_sent())
    except SluiceError as error:
        values = {"done": None, "error": error, "form": request.form, **_listed()}
        return render_template("known_images/page.html", **values), 422
    return redirect(url_for("known_images.show", made=_joined(made)), 303)


@pages.get("/known-images/<int:number>")
@login_required
def one(number: int) -> str:
    """One entry: its hits, and similar recent images."""
    row = KnownHash.find(number)
    return render_template(
        "known_images/entry.html",
        row=row,
        hits=finding_counts.of_known([number]).get(number, 0),
        most_hits=finding_counts.MOST_HITS,
        partners=known_list.partners(row),
        history=known_list.history(row),
        limit=get_settings().pdq_max_distance,
        recent=known_list.RECENT,
        kind_words=KIND_WORDS,
        near=_near(row),
    )


@pages.post("/known-images/remove")
@login_required
@auth.decides
def remove() -> Any:
    """Remove entries; their rows stay, so that they can be restored."""
    ids = KnownHash.remove(_ids(), auth.moderator().id)
    return _rows(gone=_joined(ids))


@pages.post("/known-images/restore")
@login_required
@auth.decides
def restore() -> Any:
    """Restore removed entries."""
    KnownHash.restore(_ids(), auth.moderator().id)
    return _rows()


@pages.post("/reviews/<uuid:submission_id>/block")
@login_required
@auth.decides
def block(submission_id: UUID) -> Any:
    """Block the pictures of a submission and similar ones."""
    return _make_known(submission_id, "block")


@pages.post("/reviews/<uuid:submission_id>/allow")
@login_required
@auth.decides
def allow(submission_id: UUID) -> Any:
    """Allow the pictures of a submission and similar ones."""
    return _make_known(submission_id, "allow")


def _make_known(submission_id: UUID, action: str) -> Any:
    """Add the pictures; respond with a notice for htmx, else redirect to the known images."""
    label = request.form.get("label") or NO_LABEL
    made = block_images_of(find(submission_id), auth.moderator(), label, action=action)
    _ask([row for row in made if row.look_owed])
    if fragments.is_requested():
        return render_template("rules/_notice.html", done=_made(made, action))
    return redirect(url_for("known_images.show", made=_joined(row.id for row in made)), 303)


def _learn(uploads: tuple[Upload, ...]) -> list[int]:
    """Add the pictures of the request; raises a SluiceError, and then nothing is stored."""
    action, label, note = (request.form.get(name, "") for name in ("action", "label", "note"))
    label = label or NO_LABEL
    check("sha256", bytes(32), action, label, note)
    if not uploads:
        raise Invalid("Choose a picture.", field="images")
    for sent in uploads:
        sniff.inspect(sent, get_settings())
    batch.keep(uploads)
    rows = []
    with db.atomic():
        for sent in uploads:
            twin = Image.select(Image.id).where(Image.sha256 == sent.sha256).first()
            more = {"look_owed": True, "picture": sent.key, "problem": "", "note": note.strip()}
            image = {"image_id": twin.id} if twin else {}
            who = auth.moderator().id
            rows.append(
                KnownHash.put_and_audit("sha256", sent.sha256, action, label, who, **more, **image)
            )
    request.keep_uploads()  # type: ignore[attr-defined]
    _ask(rows)
    return [row.id for row in rows]


def _sent() -> tuple[Upload, ...]:
    """The uploaded pictures of the form; none if the field is empty."""
    names = [file.filename for file in request.files.getlist("images")]
    uploads: list[Upload] = request.__dict__.get("uploads", []) if any(names) else []
    return tuple(uploads)


def _ask(rows: list[KnownHash]) -> None:
    """Request the perceptual hashes; if Redis is down, the standby process requests them later."""
    try:
        request_hash.enqueue(row.id for row in rows)
    except redis.RedisError:
        current_app.logger.warning("Redis is down: %d hashes are delayed", len(rows))


def _near(row: KnownHash) -> list[known_list.Near]:
    if row.kind == "sha256":
        return known_list.twins(bytes(row.hash))
    most = 2 * get_settings().pdq_max_distance
    return known_list.near(bytes(row.hash), most)


def _listed() -> dict[str, Any]:
    listed = LIST.listed()
    return {
        **listed,
        "pictures": _pictures(listed["rows"]),
        "hits": finding_counts.of_known([row.id for row in listed["rows"]]),
        "total": known_list.count(listed["chosen"]),
        "kind_words": KIND_WORDS,
        "labels": labels.get().choices(),
    }


def _pictures(rows: list[KnownHash]) -> dict[UUID, Image]:
    """The images that these entries are linked to, by id."""
    ids = [row.image_id for row in rows if row.image_id]
    return {image.id: image for image in Image.select().where(Image.id.in_(ids))} if ids else {}


def _rows(**more: Any) -> Any:
    """The current rows of the entries in the form; without htmx, a redirect to the list."""
    if not fragments.is_requested():
        return redirect(LIST.address(**more), 303)
    rows = list(KnownHash.select().where(KnownHash.id.in_(_ids())).order_by(KnownHash.id.desc()))
    hits = finding_counts.of_known([row.id for row in rows])
    values = {"most_hits": finding_counts.MOST_HITS, "more": False, "kind_words": KIND_WORDS}
    values |= {"rows": rows, "hits": hits, "pictures": _pictures(rows), "list_page": LIST}
    return render_template("rules/_rows.html", **values)


def _ids() -> list[int]:
    """The ids of the entries selected in the form."""
    return list_filter.row_ids(request.form.getlist("known")[:500])


def _joined(ids: Any) -> str:
    return ",".join(str(number) for number in ids)


def _done() -> ListNotice | None:
    """The action that redirected to this page, for the notice with its undo button."""
    for name, notice in (("made", _made), ("gone", _gone)):
        if name in request.args:
            ids = list_filter.numbers(request.args[name])
            rows = list(KnownHash.select().where(KnownHash.id.in_(ids)))
            return notice(rows, rows[0].action) if rows else None
    return lists.imported(lambda added, changed: f"Imported: {added} new, {changed} changed")


def _made(rows: list[KnownHash], action: str) -> ListNotice:
    words = "Blocked, with look-alikes" if action == "block" else "Allowed, with look-alikes"
    undo = url_for("known_images.remove")
    return ListNotice(words, undo, [("known", row.id) for row in rows], is_fragment=True)


def _gone(rows: list[KnownHash], _: str) -> ListNotice:
    words = f"Removed: {len(rows)} {'entry' if len(rows) == 1 else 'entries'}"
    return ListNotice(words, url_for("known_images.restore"), [("known", row.id) for row in rows])
