"""Files that the console takes and gives: sheets to import, sheets to keep."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Response, redirect, render_template, request, url_for

from models.errors import Invalid
from models.sheets import csv_json
from models.sheets.import_plan import Plan
from webapp.signin import auth

LARGEST_FORM = 16 * 1024 * 1024  # bytes of a sheet on its way from the preview to the import
LARGEST_SHEET = 8 * 1024 * 1024


class Sheets(Protocol):
    """A module of ``models`` that plans and loads the sheets of something."""

    COLUMNS: tuple[str, ...]

    def plan(self, rows: Sequence[csv_json.Row]) -> Plan[Any]: ...

    def load(self, rows: Sequence[csv_json.Row], name: str, moderator_id: int) -> Plan[Any]: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A sheet that was sent, and the file's name."""

    rows: list[csv_json.Row]
    name: str

    @property
    def again(self) -> str:
        """The rows as a hidden field carries them to the next step."""
        return json.dumps(self.rows)


def allow_more() -> None:
    """Let the form of this request be large, where it imports; call it before it is read."""
    if request.path.endswith("/import"):
        request.max_form_memory_size = LARGEST_FORM


def sent_sheet(columns: Sequence[str]) -> Sent:
    """The rows of the file, of the pasted text, or of the step before; raises Invalid."""
    name = request.form.get("name", "").replace("\0", "")[:200] or "pasted text"
    if rows := request.form.get("rows"):
        return Sent(csv_json.read(rows, columns), name)
    text = request.form.get("pasted", "")
    file = request.files.get("file")
    if file is not None and file.filename:
        name, text = file.filename.replace("\0", "")[:200], _text_of_upload()
    if not text.strip():
        raise Invalid("Choose a file or paste some rows.", field="file")
    return Sent(csv_json.read(text, columns), name)


def take_sheet(sheets: Sheets, page: str, **more: Any) -> Any:
    """Show what a file would change; then, in a second step, do it, all or nothing.

    ``page`` is the blueprint whose list the sheet is of, and its templates' folder.
    """
    template = f"{page}/import.html"
    try:
        sent = sent_sheet(sheets.COLUMNS)
        if request.form.get("step") == "apply":
            made = sheets.load(sent.rows, sent.name, auth.moderator().id)
            counted = f"{len(made.added)},{len(made.changed)}"
            return redirect(url_for(f"{page}.show", imported=counted), 303)
        planned = sheets.plan(sent.rows)
    except Invalid as error:
        return render_template(template, error=error), 422
    status = 422 if planned.errors else 200
    return render_template(template, plan=planned, sent=sent, **more), status


def imported() -> tuple[int, int] | None:
    """How many rows were new and changed in the import that this request's page follows."""
    added, _, changed = request.args.get("imported", "").partition(",")
    if added.isdigit() and changed.isdigit():
        return int(added), int(changed)
    return None


def _text_of_upload() -> str:
    (upload,) = request.__dict__["uploads"][:1]
    upload.flush()
    if upload.size > LARGEST_SHEET:
        raise Invalid("The file is larger than 8 MB. Use scripts/ for it.", field="file")
    try:
        text: str = upload.path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("The file is not text in UTF-8.", field="file") from error
    if "\0" in text:
        raise Invalid("The file is not a text.", field="file")
    return text


def sheet_reply(
    name: str, shape: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> Response:
    """A sheet as a download."""
    write = csv_json.as_csv if shape == "csv" else csv_json.as_json
    kind = "text/csv" if shape == "csv" else "application/json"
    reply = Response(write(columns, rows), content_type=f"{kind}; charset=utf-8")
    reply.headers["Content-Disposition"] = f'attachment; filename="sluice-{name}.{shape}"'
    return reply
