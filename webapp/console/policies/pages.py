"""Policies: the list by client and surface, the form with its versions, and restoring one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required

from models.clients.client import Client
from models.database.connection import row_id
from models.errors import Conflict, Invalid, SluiceError
from models.labels.label_index import labels
from models.policies import document as documents
from models.policies import listing, policy, replay
from models.policies.document import Document
from models.policies.policy_index import PolicyIndex, policies
from models.settings import get_settings
from models.verdict import NETWORK_LABEL
from tasks.detectors.registry import labels_on
from webapp.console.policies import policy_form, replay_words
from webapp.console.policies.policy_form import document_of, form_of, shown
from webapp.console.review.claimed import number
from webapp.console.shared import list_filter
from webapp.http import fragments
from webapp.signin import auth

MOST = ("20000", "1000", "100000", "1000000")  # submissions that a replay may read
VISIBILITY_WORDS = {"hold": "hold", "publish_first": "publish first"}

pages = Blueprint("policies", __name__, url_prefix="/console/policies")
pages.add_app_template_filter(shown, "threshold")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.get("")
@login_required
def show() -> str:
    """The policies of the server, of every client and of their surfaces, as they are in force."""
    policies.expire()  # a change of the last second is shown too
    index = policies.get()
    clients = list(Client.select().order_by(Client.name))
    by_client: dict[int, list[str]] = {client.id: [""] for client in clients}
    for client_id, surface in sorted(listing.surfaces()):
        by_client.setdefault(client_id, [""]).append(surface)
    rows = [(None, "", index.document(None))]
    rows += [
        (client, surface, index.document(client.id, surface))
        for client in clients
        for surface in by_client[client.id]
    ]
    return render_template(
        "policies/page.html",
        rows=rows,
        newest=listing.newest(),
        network=NETWORK_LABEL,
        visibility_words=VISIBILITY_WORDS,
        saved=request.args.get("saved", ""),
    )


@pages.get("/edit")
@login_required
def edit() -> Any:
    """One policy: its form, and its versions."""
    client, surface = _place()
    row = policy.find(client.id if client else None, surface)
    return _editor(client, surface, _form_in_force(row))


@pages.post("/edit")
@login_required
@auth.configures
def save() -> Any:
    """Make the form the newest version; refused if there is a newer one than the person saw."""
    client, surface = _place()
    try:
        policy.apply(
            client.id if client else None,
            surface,
            document_of(request.form, _labels()),
            why=request.form.get("why", ""),
            moderator_id=auth.moderator().id,
            seen=number("seen"),
        )
    except SluiceError as error:
        status = 409 if isinstance(error, Conflict) else 422
        return _editor(client, surface, request.form, error), status
    return redirect(_address(client, surface, saved=1), 303)


@pages.post("/replay")
@login_required
@auth.configures
def attempt() -> Any:
    """What the form would have decided of past submissions; nothing is saved."""
    client, surface = _place()
    client_id = client.id if client else None
    try:
        draft = document_of(request.form, _labels())
        documents.check(draft, _labels())
        index = policies.get()
        documents.check_order(draft.over(index.inherited(client_id, surface)))
        changed = index.with_document((client_id, surface), draft)
        found = replay.replay(_policy_of(index), _policy_of(changed), client_id, surface, _most())
    except SluiceError as error:
        if fragments.is_requested():
            return render_template("policies/_replay.html", replay=None, wrong=error)
        return _editor(client, surface, request.form, error), 422
    values: dict[str, Any] = {
        "replay": found,
        "words": replay_words.words(found),
        "chosen_most": str(_most()),
    }
    if fragments.is_requested():
        return render_template("policies/_replay.html", **values)
    return _editor(client, surface, request.form, **values)


@pages.post("/restore")
@login_required
@auth.configures
def restore() -> Any:
    """Make an earlier version the newest one again."""
    client, surface = _place()
    row = policy.find(client.id if client else None, surface)
    if row is None:
        raise Invalid("This policy has no versions.")
    try:
        policy.restore(row, number("version"), auth.moderator().id)
    except Invalid as error:  # a label is gone, or a level above has changed
        return _editor(client, surface, _form_in_force(row), error), 422
    return redirect(_address(client, surface, saved=1), 303)


@pages.get("/version/<int:number>")
@login_required
def version(number: int) -> Any:
    """To the policy that a version belongs to, by the id that replies and webhooks have."""
    row = policy.version(row_id(str(number)))
    values: dict[str, Any] = {"client": row.client_id, "surface": row.surface or None}
    return redirect(url_for("policies.edit", **values, _anchor=f"version-{number}"))


def _place() -> tuple[Client | None, str]:
    """The client and surface of the request; raises NotFound and Invalid."""
    client = list_filter.client(request.values.get("client", ""))
    surface = request.values.get("surface", "").strip()
    policy.check_surface(surface, client.id if client else None)
    return client, surface


def _address(client: Client | None, surface: str, **more: Any) -> str:
    place: dict[str, Any] = {
        "client": client.id if client else None,
        "surface": surface or None,
    }
    return url_for("policies.edit", **place, **more)


def _form_in_force(row: policy.PolicyRow | None) -> dict[str, str]:
    version = policy.current(row)
    return form_of(version.content if version else Document())


def _policy_of(index: PolicyIndex) -> replay.PolicyOf:
    return lambda client_id, surface: index.policy(client_id, surface, None)


def _most() -> int:
    """How many submissions to replay; one of the choices of the form."""
    text = request.form.get("most", "")
    return int(text) if text in MOST else int(MOST[0])


def _labels() -> list[str]:
    """The labels that may have thresholds: those that people choose."""
    return labels.get().choices()


def _editor(
    client: Client | None,
    surface: str,
    form: Any,
    error: SluiceError | None = None,
    **more: Any,
) -> str:
    client_id = client.id if client else None
    row = policy.find(client_id, surface)
    version = policy.current(row)
    policies.expire()
    index = policies.get()
    inherited = index.inherited(client_id, surface)
    set_here = {name for name in _labels() if any(form.get(f"{p}-{name}") for p in documents.PARTS)}
    scored_here = {NETWORK_LABEL, *labels_on(get_settings()), *set_here}
    scored = [name for name in _labels() if name in scored_here]
    history = policy.versions(row)
    return render_template(
        "policies/edit.html",
        client=client,
        surface=surface,
        form=form,
        error=error,
        inherited=inherited,
        scored=scored,
        others=[name for name in _labels() if name not in scored],
        parts=documents.PARTS,
        seen=form.get("seen") or (version.number if version else 0),
        versions=_with_changes(history),
        visibility_words=VISIBILITY_WORDS,
        never=policy_form.NEVER,
        address=_address(client, surface),
        saved="saved" in request.args and error is None,
        most=MOST,
        **{"replay": None, "chosen_most": MOST[0], **more},
    )


def _with_changes(history: list[policy.PolicyVersion]) -> list[tuple[policy.PolicyVersion, Any]]:
    """Each version, newest first, with what it changed in the one before."""
    contents = [*(version.content for version in history), Document()]
    return [
        (version, documents.changes(earlier, content))
        for version, content, earlier in zip(history, contents, contents[1:], strict=False)
    ]
