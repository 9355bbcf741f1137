"""Known images: the hash bank, pictures that join it, and what looks like them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import redis
from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask_login import login_required

from models.database.connection import db
from models.errors import Invalid, SluiceError
from models.hash_bank import import_export
from models.hash_bank import listing as known_list
from models.hash_bank.known_hash import (
    ACTIONS,
    FACTS,
    KINDS,
    MIN_QUALITY,
    KnownHash,
    block_images_of,
    check,
)
from models.hash_bank.listing import Filter
from models.settings import get_settings
from models.submissions import finding_counts
from models.submissions.image import Image
from models.verdict import LABELS
from tasks.hash_bank import request_hash
from tasks.storage import Upload
from webapp.console.review.pages import find
from webapp.console.shared import list_filter, sheet_upload
from webapp.http import fragments
from webapp.signin import auth
from webapp.uploads import batch, sniff

ROWS = 60
CHOICES = {
    "kind": KINDS,
    "action": ACTIONS,
    "label": LABELS,
    "state": known_list.STATES,
}
KIND_WORDS = {"sha256": "Exact bytes", "pdq": "Look-alikes"}
BY_MACHINE = ("unreadable", "known", "error")  # labels that no image needs

pages = Blueprint("known_images", __name__, url_prefix="/console")
pages.add_app_template_filter(lambda value: bytes(value).hex(), "hexadecimal")


@pages.before_request
def protect() -> None:
    """No form without its token; an import may be larger than other forms."""
    sheet_upload.allow_more()
    auth.csrf.protect()


@pages.get("/known-images")
@login_required
def show() -> str:
    """The known images that are wanted, the newest first."""
    if fragments.wanted():
        part = "_rows.html" if request.args.get("after") else "_list.html"
        return render_template(f"known_images/{part}", **_listed())
    return render_template("known_images/page.html", done=_done(), form={}, **_listed())


@pages.post("/known-images")
@login_required
@auth.decides
def add() -> Any:
    """Make pictures known: their bytes at once, their look as soon as a worker has seen it."""
    try:
        made = _learn(_sent())
    except SluiceError as error:
        values = {"done": None, "error": error, "form": request.form, **_listed()}
        return render_template("known_images/page.html", **values), 422
    return redirect(url_for("known_images.show", made=_joined(made)), 303)


@pages.get("/known-images/<int:number>")
@login_required
def one(number: int) -> str:
    """One entry: what it hit, and which recent images look like it."""
    row = KnownHash.found(number)
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
    """Remove entries; their rows stay for the way back."""
    ids = KnownHash.forget(_ids(), auth.moderator().id)
    return _rows(gone=_joined(ids))


@pages.post("/known-images/restore")
@login_required
@auth.decides
def restore() -> Any:
    """Bring removed entries back."""
    KnownHash.remember(_ids(), auth.moderator().id)
    return _rows()


@pages.get("/known-images/import")
@login_required
@auth.configures
def upload() -> str:
    """The form that takes a file."""
    return render_template("known_images/import.html")


@pages.post("/known-images/import")
@login_required
@auth.configures
def take() -> Any:
    """Show what a file would change; then, in a second step, do it, all or nothing."""
    return sheet_upload.take_sheet(import_export, "known_images", kind_words=KIND_WORDS)


@pages.get("/known-images/export.<any(csv, json):shape>")
@login_required
def export(shape: str) -> Response:
    """The wanted entries as a file."""
    rows = import_export.export(_filter().query())
    return sheet_upload.sheet_reply("known-images", shape, FACTS, rows)


@pages.post("/reviews/<uuid:submission_id>/block")
@login_required
@auth.decides
def block(submission_id: UUID) -> Any:
    """Block a submission's pictures and whatever looks like them."""
    return _make_known(submission_id, "block")


@pages.post("/reviews/<uuid:submission_id>/allow")
@login_required
@auth.decides
def allow(submission_id: UUID) -> Any:
    """Allow a submission's pictures and whatever looks like them."""
    return _make_known(submission_id, "allow")


def _make_known(submission_id: UUID, action: str) -> Any:
    """htmx gets a notice with its undo; a form leads to the known images and their notice."""
    label = request.form.get("label") or "other"
    made = block_images_of(find(submission_id), auth.moderator(), label, action=action)
    _ask([row for row in made if row.look_owed])
    if fragments.wanted():
        done = {"made": made, "action": action}
        return render_template("known_images/_notice.html", done=done, kept={})
    return redirect(url_for("known_images.show", made=_joined(row.id for row in made)), 303)


def _learn(uploads: tuple[Upload, ...]) -> list[int]:
    """Make the request's pictures known; raises the domain's errors, and then nothing is kept."""
    action, label, note = (request.form.get(name, "") for name in ("action", "label", "note"))
    label = label or "other"
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
            rows.append(KnownHash.learn("sha256", sent.sha256, action, label, who, **more, **image))
    request.keep_uploads()  # type: ignore[attr-defined]
    _ask(rows)
    return [row.id for row in rows]


def _sent() -> tuple[Upload, ...]:
    """The pictures of the form, which are on their way to the disk; an empty field is none."""
    names = [file.filename for file in request.files.getlist("images")]
    uploads: list[Upload] = request.__dict__.get("uploads", []) if any(names) else []
    return tuple(uploads)


def _ask(rows: list[KnownHash]) -> None:
    """Wake a worker; while Redis is away, the standby process asks again later."""
    try:
        request_hash.ask(row.id for row in rows)
    except redis.RedisError:
        current_app.logger.warning("Redis is away: %d looks wait", len(rows))


def _near(row: KnownHash) -> list[known_list.Near]:
    if row.kind == "sha256":
        return known_list.twins(bytes(row.hash))
    most = 2 * get_settings().pdq_max_distance
    return known_list.near(bytes(row.hash), most, quality=MIN_QUALITY)


def _listed() -> dict[str, Any]:
    wanted, after = _filter(), request.args.get("after", "")
    rows = known_list.page(wanted, ROWS + 1, int(after) if after.isdigit() else None)
    return {
        "rows": rows[:ROWS],
        "more": len(rows) > ROWS,
        "pictures": _pictures(rows[:ROWS]),
        "hits": finding_counts.of_known([row.id for row in rows[:ROWS]]),
        "most_hits": finding_counts.MOST_HITS,
        "total": known_list.count(wanted),
        "wanted": wanted,
        "kept": _kept(),
        "choices": CHOICES,
        "kind_words": KIND_WORDS,
        "labels": [name for name in LABELS if name not in BY_MACHINE],
    }


def _pictures(rows: list[KnownHash]) -> dict[UUID, Image]:
    """The linked images of these entries."""
    ids = [row.image_id for row in rows if row.image_id]
    return {image.id: image for image in Image.select().where(Image.id.in_(ids))} if ids else {}


def _rows(**more: Any) -> Any:
    """The entries of the form as they are now; without htmx, the list again."""
    if not fragments.wanted():
        return redirect(url_for("known_images.show", **more, **_kept()), 303)
    rows = list(KnownHash.select().where(KnownHash.id.in_(_ids())).order_by(KnownHash.id.desc()))
    found = finding_counts.of_known([row.id for row in rows])
    values = {"most_hits": finding_counts.MOST_HITS, "more": False, "kind_words": KIND_WORDS}
    return render_template(
        "known_images/_rows.html", rows=rows, hits=found, pictures=_pictures(rows), **values
    )


def _ids() -> list[int]:
    """The entries that the form is about."""
    return [int(text) for text in request.form.getlist("known")[:500] if text.isdigit()]


def _joined(ids: Any) -> str:
    return ",".join(str(number) for number in ids)


def _filter() -> Filter:
    return Filter(**list_filter.asked(CHOICES))


def _kept() -> dict[str, Any]:
    """The filter as an address has it."""
    return list_filter.kept(_filter(), CHOICES)


def _done() -> dict[str, Any] | None:
    """What this page follows, for the notice with its undo."""
    for name in ("made", "gone"):
        if name in request.args:
            ids = list_filter.numbers(request.args[name])
            rows = list(KnownHash.select().where(KnownHash.id.in_(ids)))
            return {name: rows, "action": rows[0].action} if rows else None
    return sheet_upload.imported()
