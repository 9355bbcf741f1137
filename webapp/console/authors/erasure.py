"""Erasing a submission or an author, and all that is held about an author: administrators."""

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
    """No form without its token."""
    auth.csrf.protect()


@pages.post("/submissions/<uuid:submission_id>/erasure")
@login_required
@auth.configures
def submission(submission_id: UUID) -> Any:
    """Erase one submission; its page shows what stays."""
    erase.submission(submission_id, None, _asked())
    return redirect(url_for("submissions.show", submission_id=submission_id), 303)


@pages.post("/authors/<int:client_id>/erasure")
@login_required
@auth.configures
def author(client_id: int) -> Any:
    """Erase all of an author."""
    by = _asked()
    erase.author(Client.find(client_id).id, request.form.get("user_id", ""), by)
    return redirect(url_for("authors.index"), 303)


@pages.get("/authors/<int:client_id>/export")
@login_required
@auth.configures
def export(client_id: int) -> Response:
    """All that is held about an author, with the originals where ``format`` is zip."""
    client, user_id = Client.find(client_id), request.args.get("user_id", "")
    how = "zip" if request.args.get("format") == "zip" else "json"
    reply = author_download.reply(get_settings(), client, user_id, how)
    about = subject(client.id, user_id)
    Audit.append("author.export", about, moderator_id=auth.moderator().id, format=how)
    return reply


def _asked() -> By:
    """Who asks and why; raises Invalid where the form was not filled in."""
    reason = request.form.get("reason", "").replace("\0", "").strip()
    if not reason:
        raise Invalid("Say why, for the audit.", field="reason")
    if request.form.get("confirm") != "on":
        raise Invalid("Say that it is to be erased for good.", field="confirm")
    return By(auth.moderator(), reason)
