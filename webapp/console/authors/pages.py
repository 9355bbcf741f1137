"""Authors: who uploads, their record, and what their uploads may do."""

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
from webapp.console.shared.cards import cards
from webapp.console.submissions import search_form
from webapp.http import fragments
from webapp.signin import auth

RECENT = 12  # submissions on an author's page
LONGEST = 200  # characters of a user_id
PLAIN = re.compile(r"(?!\.{1,2}$)[^/\\]+")  # what a browser leaves alone in an address
KINDS = {"": "Latest", "strikes": "Strikes", "suspended": "Suspended", "premium": "Premium"}
ACTS = {
    "suspend": Author.suspend,
    "unsuspend": Author.unsuspend,
    "make_premium": Author.make_premium,
    "end_premium": Author.end_premium,
}
WORDS = {
    "author.suspend": "suspended",
    "author.unsuspend": "taken back in",
    "author.premium": "made premium",
    "author.end_premium": "premium ended",
    "author.export": "all that is held copied",
}

pages = Blueprint("authors", __name__, url_prefix="/console/authors")


@pages.before_request
def protect() -> None:
    """No form without its token."""
    auth.csrf.protect()


@pages.app_template_global()
def author_url(client_id: int, user_id: str) -> str:
    """The page of an author; a ``user_id`` that an address would change goes behind it."""
    if PLAIN.fullmatch(user_id):
        return url_for("authors.show", client_id=client_id, user_id=user_id)
    return url_for("authors.show_odd", client_id=client_id, user_id=user_id)


@pages.get("")
@login_required
def index() -> str:
    """Authors by their last upload, by the beginning of their name, or by their marks."""
    kind = request.args.get("kind", "")
    kind = kind if kind in KINDS else ""
    prefix = request.args.get("author", "").strip().replace("\0", "")[:LONGEST]
    client = request.args.get("client", "")
    client_id = int(client) if client.isdecimal() and len(client) < 18 else None
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
    if not fragments.wanted():
        return render_template("authors/list.html", **values)
    return render_template("authors/_rows.html" if after else "authors/_list.html", **values)


@pages.get("/<int:client_id>/<path:user_id>")
@login_required
def show(client_id: int, user_id: str) -> str:
    """One author: record, recent submissions, strikes, and what was done about them."""
    client = _client(client_id)
    known = author.record(client_id, user_id)
    if not known["uploads"] and not _is_known(client_id, user_id):
        raise NotFound(f"The client {client.name} has no author of this name.")
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
        known=known,
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
    """The same for a ``user_id`` with slashes or dots that an address would lose."""
    return show(client_id, request.args.get("user_id", ""))


@pages.post("/<int:client_id>/standing")
@login_required
@auth.decides
def change(client_id: int) -> Any:
    """Suspend an author or take that back; give or end premium."""
    _client(client_id)
    user_id, act = request.form.get("user_id", ""), request.form.get("act", "")
    if not 1 <= len(user_id) <= LONGEST or "\0" in user_id:
        raise Invalid("There is no such author.", field="user_id")
    if act not in ACTS:
        raise Invalid("There is no such act.", field="act")
    more = {"reason": request.form.get("reason", "")} if act == "suspend" else {}
    ACTS[act](client_id, user_id, auth.moderator(), **more)
    return redirect(author_url(client_id, user_id), 303)


def _client(client_id: int) -> Client:
    row: Client | None = Client.get_or_none(Client.id == client_id) if client_id < 2**63 else None
    if row is None:
        raise NotFound("There is no such client.")
    return row


def _is_known(client_id: int, user_id: str) -> bool:
    return bool(Author.select().where(Author.client == client_id, Author.user_id == user_id))
