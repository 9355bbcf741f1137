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
    "administrator": "can configure everything",
    "moderator": "can decide submissions",
    "viewer": "read-only",
}

pages = Blueprint("team", __name__, url_prefix="/console/team")


@pages.before_request
def protect() -> None:
    """Require a CSRF token in every form."""
    auth.csrf.protect()


@pages.get("/")
@login_required
def show() -> str:
    """All accounts, and for administrators the unused invitations."""
    return _page()


@pages.post("/invites")
@login_required
@auth.configures
def invite() -> Any:
    """Create an invitation link for a role, which is shown only once."""
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
    """Revoke an unused invitation."""
    team.revoke_invite(invite_id, auth.moderator())
    return redirect(url_for("team.show"), 303)


@pages.post("/<int:moderator_id>/role")
@login_required
@auth.configures
def change_role(moderator_id: int) -> Any:
    """Change the role of an account."""
    role = request.form.get("role", "")
    return _act(lambda by: team.change_role(moderator_id, role, by), moderator_id)


@pages.post("/<int:moderator_id>/disabling")
@login_required
@auth.configures
def disable(moderator_id: int) -> Any:
    """Disable or enable an account."""
    act = team.disable if request.form.get("disabled") == "1" else team.enable
    return _act(lambda by: act(moderator_id, by), moderator_id)


@pages.post("/<int:moderator_id>/reset")
@login_required
@auth.configures
def reset(moderator_id: int) -> Any:
    """Invalidate password and sessions; show a link to choose a new password, once."""
    try:
        person, token = team.reset(moderator_id, auth.moderator())
    except Conflict as error:
        return _page(error=error, about=moderator_id), 409
    return _link(url_for("signing.new_password", token=token), person=person)


@pages.post("/<int:moderator_id>/second-step")
@login_required
@auth.configures
def remove_second_step(moderator_id: int) -> Any:
    """Remove the second step of an account whose device was lost."""
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
    """The page with a link, which is shown only once."""
    link = get_settings().url + path
    return render_template("team/link.html", link=link, hours=team.INVITE_HOURS, **more)
