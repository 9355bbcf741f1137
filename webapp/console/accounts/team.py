"""The team: roles, invitations, disabled accounts."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required

from models.accounts import team
from models.errors import Conflict, Invalid, SluiceError
from models.people.moderator import ROLES
from models.settings import get_settings
from webapp.signin import auth

ABOUT = {
    "administrator": "configures everything",
    "moderator": "decides submissions",
    "viewer": "sees, changes nothing",
}

pages = Blueprint("team", __name__, url_prefix="/console/team")


@pages.before_request
def protect() -> None:
    """No form without its token."""
    auth.csrf.protect()


@pages.get("/")
@login_required
def show() -> str:
    """Everybody, and for administrators the links that nobody has used yet."""
    return _page()


@pages.post("/invites")
@login_required
@auth.configures
def invite() -> Any:
    """A link that makes an account of a role, shown this once."""
    try:
        token = team.invite(request.form.get("role", ""), auth.moderator())
    except Invalid as error:
        return _page(error=error), 422
    role = request.form["role"]
    return _link(url_for("signing.setup", token=token), role=role)


@pages.post("/invites/<int:invite_id>/revocation")
@login_required
@auth.configures
def revoke(invite_id: int) -> Any:
    """End a link before it is used."""
    team.revoke_invite(invite_id, auth.moderator())
    return redirect(url_for("team.show"), 303)


@pages.post("/<int:moderator_id>/role")
@login_required
@auth.configures
def change_role(moderator_id: int) -> Any:
    """Give a person another role."""
    role = request.form.get("role", "")
    return _act(lambda by: team.change_role(moderator_id, role, by), moderator_id)


@pages.post("/<int:moderator_id>/disabling")
@login_required
@auth.configures
def disable(moderator_id: int) -> Any:
    """Shut a person out, or let them in again."""
    act = team.disable if request.form.get("disabled") == "1" else team.enable
    return _act(lambda by: act(moderator_id, by), moderator_id)


@pages.post("/<int:moderator_id>/reset")
@login_required
@auth.configures
def reset(moderator_id: int) -> Any:
    """End the password and the sessions; a link for a new password, shown this once."""
    try:
        person, token = team.reset(moderator_id, auth.moderator())
    except Conflict as error:
        return _page(error=error, about=moderator_id), 409
    return _link(url_for("signing.new_password", token=token), person=person)


@pages.post("/<int:moderator_id>/second-step")
@login_required
@auth.configures
def remove_second_step(moderator_id: int) -> Any:
    """Take a lost second step off an account."""
    return _act(lambda by: team.remove_second_step(moderator_id, by), moderator_id)


def _act(act: Any, moderator_id: int) -> Any:
    try:
        act(auth.moderator())
    except (Conflict, Invalid) as error:
        return _page(error=error, about=moderator_id), 409 if isinstance(error, Conflict) else 422
    return redirect(url_for("team.show"), 303)


def _page(error: SluiceError | None = None, about: int | None = None) -> str:
    values: dict[str, Any] = {"members": team.members(), "roles": ROLES, "role_words": ABOUT}
    if auth.moderator().can_configure:
        values["invites"] = team.invites()
    return render_template("team/page.html", error=error, about=about, **values)


def _link(path: str, **more: Any) -> str:
    """A link that is shown only once."""
    link = get_settings().url + path
    return render_template("team/link.html", link=link, hours=team.INVITE_HOURS, **more)
