"""Erasure of submissions and authors, and export of an author's data, for administrators."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, redirect, request, url_for
from flask_login import login_required

from models.audit.log import Audit
from models.authors.author import subject
from models.clients.client import Client
from models.errors import Invalid
from models.privacy.erasure import By
from models.settings import get_settings
from webapp.privacy import author_download, erase
from webapp.signin import auth

pages = Blueprint("erasure", __name__, url_prefix="/console")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.post("/submissions/<uuid:submission_id>/erasure")
@login_required
@auth.configures
def submission(submission_id: UUID) -> Any:
    """Erase one submission and show what remains of it."""
    erase.submission(submission_id, None, _requester())
    return redirect(url_for("submissions.show", submission_id=submission_id), 303)


@pages.post("/authors/<int:client_id>/erasure")
@login_required
@auth.configures
def author(client_id: int) -> Any:
    """Erase an author and all their submissions."""
    by = _requester()
    erase.author(Client.find(client_id).id, request.form.get("user_id", ""), by)
    return redirect(url_for("authors.index"), 303)


@pages.get("/authors/<int:client_id>/export")
@login_required
@auth.configures
def export(client_id: int) -> Response:
    """All data held about an author, with the originals if ``format`` is zip."""
    client, user_id = Client.find(client_id), request.args.get("user_id", "")
    how = "zip" if request.args.get("format") == "zip" else "json"
    response = author_download.response(get_settings(), client, user_id, how)
    about = subject(client.id, user_id)
    Audit.append("author.export", about, moderator_id=auth.moderator().id, format=how)
    return response


def _requester() -> By:
    """Who requests the erasure and why; raises Invalid if the form is incomplete."""
    reason = request.form.get("reason", "").replace("\0", "").strip()
    if not reason:
        raise Invalid("Enter a reason. It is stored in the audit log.", field="reason")
    if request.form.get("confirm") != "on":
        raise Invalid("Tick the box to confirm. Erasure cannot be undone.", field="confirm")
    return By(auth.moderator(), reason)
