"""Authors: the list, the record of each, suspension and premium."""

from __future__ import annotations

import re
from typing import Any

import peewee
from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required

from models.audit.log import Audit
from models.authors import author, listing
from models.authors.author import Author
from models.clients.client import Client
from models.errors import Invalid, NotFound
from models.people.moderator import Moderator
from models.settings import get_settings
from models.submissions import search
from models.submissions.search_conditions import Search
from webapp.console.shared import list_filter
from webapp.console.shared.cards import cards
from webapp.console.submissions import search_form
from webapp.http import fragments
from webapp.signin import auth

RECENT = 12  # submissions on an author's page
LONGEST = 200  # characters of a user_id
PLAIN = re.compile(r"(?!\.{1,2}$)[^/\\]+")  # a browser does not change this in a URL path
KINDS = {"": "Latest", "strikes": "Strikes", "suspended": "Suspended", "premium": "Premium"}
ACTS = {
    "suspend": Author.suspend,
    "unsuspend": Author.unsuspend,
    "make_premium": Author.make_premium,
    "end_premium": Author.end_premium,
}
WORDS = {
    "author.suspend": "suspended",
    "author.unsuspend": "suspension ended",
    "author.premium": "made premium",
    "author.end_premium": "premium ended",
    "author.export": "data exported",
}

pages = Blueprint("authors", __name__, url_prefix="/console/authors")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.app_template_global()
def author_url(client_id: int, user_id: str) -> str:
    """The URL of an author; a ``user_id`` that a URL path would change goes into the query."""
    if PLAIN.fullmatch(user_id):
        return url_for("authors.show", client_id=client_id, user_id=user_id)
    return url_for("authors.show_odd", client_id=client_id, user_id=user_id)


@pages.get("")
@login_required
def index() -> str:
    """Authors by last upload, prefix of the user id, or mark (strikes, suspended, premium)."""
    kind = request.args.get("kind", "")
    kind = kind if kind in KINDS else ""
    prefix = request.args.get("author", "").strip().replace("\0", "")[:LONGEST]
    client = list_filter.client(request.args.get("client", ""))
    client_id = client.id if client else None
    after = request.args.get("after", "").replace("\0", "")
    if kind:
        page = listing.marked(kind, client_id, after, prefix)
    elif prefix:
        page = listing.named(prefix, client_id, after)
    else:
        page = listing.latest(client_id, after)
    given = {"kind": kind, "author": prefix, "client": client_id}
    values = {
        "page": page,
        "after": after,
        "filter": {name: value for name, value in given.items() if value},
        "kinds": KINDS,
        "kind": kind,
        "clients": search_form.clients(),
    }
    if not fragments.is_requested():
        return render_template("authors/list.html", **values)
    return render_template("authors/_rows.html" if after else "authors/_list.html", **values)


@pages.get("/<int:client_id>/<path:user_id>")
@login_required
def show(client_id: int, user_id: str) -> str:
    """One author: record, recent submissions, strikes and actions of moderators."""
    client = _client(client_id)
    record = author.record(client_id, user_id)
    if not record["uploads"] and not _exists(client_id, user_id):
        raise NotFound(f"The client {client.name} has no author with this user id.")
    recent = search.page(Search(client_id=client_id, user_id=user_id), limit=RECENT)
    acts = (
        Audit.select(Audit, Moderator)
        .join(Moderator, peewee.JOIN.LEFT_OUTER)
        .where(Audit.subject == author.subject(client_id, user_id))
        .order_by(Audit.id.desc())
        .limit(20)
    )
    return render_template(
        "authors/page.html",
        client=client,
        user_id=user_id,
        record=record,
        rows=cards(recent.rows(), get_settings(), authors=False),
        more=recent.full,
        strikes=listing.strikes_of(client_id, user_id),
        acts=list(acts),
        act_words=WORDS,
        modes=search_form.MODES,
    )


@pages.get("/<int:client_id>/")
@login_required
def show_odd(client_id: int) -> str:
    """The same for a ``user_id`` with slashes or dots, which a URL path would not preserve."""
    return show(client_id, request.args.get("user_id", ""))


@pages.post("/<int:client_id>/standing")
@login_required
@auth.decides
def change(client_id: int) -> Any:
    """Suspend or unsuspend an author; give or end premium."""
    _client(client_id)
    user_id, act = request.form.get("user_id", ""), request.form.get("act", "")
    if not 1 <= len(user_id) <= LONGEST or "\0" in user_id:
        raise Invalid("This author does not exist.", field="user_id")
    if act not in ACTS:
        raise Invalid("Unknown action.", field="act")
    more = {"reason": request.form.get("reason", "")} if act == "suspend" else {}
    ACTS[act](client_id, user_id, auth.moderator(), **more)
    return redirect(author_url(client_id, user_id), 303)


def _client(client_id: int) -> Client:
    row: Client | None = Client.get_or_none(Client.id == client_id) if client_id < 2**63 else None
    if row is None:
        raise NotFound("This client does not exist.")
    return row


def _exists(client_id: int, user_id: str) -> bool:
    return bool(Author.select().where(Author.client == client_id, Author.user_id == user_id))
