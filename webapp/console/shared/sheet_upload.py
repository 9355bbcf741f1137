"""Import and export of sheets (CSV, JSON) in the console."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Response, redirect, render_template, request, url_for

from models.database.connection import row_id
from models.errors import Invalid
from models.sheets import csv_json
from models.sheets.import_plan import Plan
from webapp.http.body_limits import Body
from webapp.signin import auth

LARGEST_SHEET = 8 * 1024 * 1024
# A sheet is sent again as JSON between the preview and the import. nginx.conf has the same size.
LARGEST_FORM = 16 * 1024 * 1024
BODY = Body(size=LARGEST_FORM + 1024 * 1024, text=LARGEST_FORM, files=True, signed_in=True)


class SheetImporter(Protocol):
    """A module of ``models`` that plans and loads imports."""

    COLUMNS: tuple[str, ...]

    def plan(self, rows: Sequence[csv_json.Row]) -> Plan[Any]: ...

    def load(self, rows: Sequence[csv_json.Row], name: str, moderator_id: int) -> Plan[Any]: ...


@dataclass(frozen=True, slots=True)
class UploadedSheet:
    """The rows of an uploaded sheet, and the file name."""

    rows: list[csv_json.Row]
    name: str

    @property
    def again(self) -> str:
        """The rows as JSON, for the hidden field of the next step."""
        return json.dumps(self.rows)


def sent_sheet(columns: Sequence[str]) -> UploadedSheet:
    """The rows of the file, the pasted text or the previous step; raises Invalid."""
    name = request.form.get("name", "").replace("\0", "")[:200] or "pasted text"
    if rows := request.form.get("rows"):
        return UploadedSheet(csv_json.read(rows, columns), name)
    text = request.form.get("pasted", "")
    file = request.files.get("file")
    if file is not None and file.filename:
        name, text = file.filename.replace("\0", "")[:200], _text_of_upload()
    if not text.strip():
        raise Invalid("Choose a file or paste some rows.", field="file")
    return UploadedSheet(csv_json.read(text, columns), name)


def take_sheet(sheets: SheetImporter, page: str, **more: Any) -> Any:
    """Show what a file would change; in a second step, apply it, all or nothing.

    ``page`` is the blueprint of the list and the folder of its templates.
    """
    template = f"{page}/import.html"
    try:
        sent = sent_sheet(sheets.COLUMNS)
        if request.form.get("step") == "apply":
            plan = sheets.load(sent.rows, sent.name, auth.moderator().id)
            counts = f"{len(plan.added)},{len(plan.changed)}"
            return redirect(url_for(f"{page}.show", imported=counts), 303)
        planned = sheets.plan(sent.rows)
    except Invalid as error:
        return render_template(template, error=error), 422
    status = 422 if planned.errors else 200
    return render_template(template, plan=planned, sent=sent, **more), status


def imported() -> tuple[int, int] | None:
    """The numbers of new and changed rows of the import that redirected to this page, or None."""
    added, _, changed = request.args.get("imported", "").partition(",")
    new, old = row_id(added), row_id(changed)
    return None if new is None or old is None else (new, old)


def _text_of_upload() -> str:
    (upload,) = request.__dict__["uploads"][:1]
    upload.flush()
    if upload.size > LARGEST_SHEET:
        raise Invalid("The file exceeds 8 MB. Use scripts/rules or scripts/hashes.", field="file")
    try:
        text: str = upload.path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("The file is not UTF-8 text.", field="file") from error
    if "\0" in text:
        raise Invalid("The file is not a text file.", field="file")
    return text


def sheet_download(
    name: str, shape: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> Response:
    """A sheet as a download."""
    write = csv_json.as_csv if shape == "csv" else csv_json.as_json
    kind = "text/csv" if shape == "csv" else "application/json"
    response = Response(write(columns, rows), content_type=f"{kind}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="sluice-{name}.{shape}"'
    return response
