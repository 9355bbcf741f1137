"""The team: its members, and changes that an administrator makes to other accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import peewee

from models.accounts.two_factor import RecoveryCode
from models.audit.log import Audit
from models.database.connection import db
from models.errors import Conflict, Invalid, NotFound
from models.people.moderator import ROLES, Invite, Moderator, ModeratorSession, PasswordLink

INVITE_HOURS = 48
LAST_ADMINISTRATOR = "This is the last administrator. Make somebody else an administrator first."


@dataclass(frozen=True, slots=True)
class TeamMember:
    """An account, and when it was last active."""

    person: Moderator
    seen_at: datetime | None


def members() -> list[TeamMember]:
    """All accounts, enabled ones first."""
    seen = peewee.fn.max(ModeratorSession.seen_at).alias("seen_at")
    query = (
        Moderator.select(Moderator, seen)
        .join(ModeratorSession, peewee.JOIN.LEFT_OUTER)
        .group_by(Moderator.id)
        .order_by(Moderator.disabled_at.is_null(False), peewee.fn.lower(Moderator.name))
    )
    return [TeamMember(row, row.seen_at) for row in query.objects()]


def find(moderator_id: int) -> Moderator:
    """The account with this id; raises NotFound."""
    row = Moderator.get_or_none(Moderator.id == moderator_id)
    if row is None:
        raise NotFound("This account does not exist.")
    return row


def invites() -> list[Invite]:
    """Invitations that are unused and not expired."""
    return list(
        Invite.select(Invite, Moderator)
        .join(Moderator, peewee.JOIN.LEFT_OUTER)
        .where(Invite.used_at.is_null(), Invite.expires_at > peewee.fn.now())
        .order_by(Invite.created_at.desc())
    )


def invite(role: str, by: Moderator) -> str:
    """Create an invitation for the role; returns its token, which is shown only once."""
    _check_role(role)
    with db.atomic():
        token = Invite.make(role, INVITE_HOURS, by.id)
        Audit.append("invite.create", role, moderator_id=by.id, hours=INVITE_HOURS)
    return token


def revoke_invite(invite_id: int, by: Moderator) -> None:
    """Revoke an unused invitation; raises NotFound if it was used or revoked."""
    with db.atomic():
        deleted = Invite.delete().where(Invite.id == invite_id, Invite.used_at.is_null())
        for row in deleted.returning(Invite.role).execute():
            Audit.append("invite.revoke", row.role, moderator_id=by.id)
            return
    raise NotFound("This link has already been used or revoked.")


def change_role(moderator_id: int, role: str, by: Moderator) -> Moderator:
    """Change a person's role; raises Conflict for the last administrator."""
    _check_role(role)
    with db.atomic():
        row = _lock(moderator_id)
        if row.role == role:
            return row
        if row.role == "administrator":
            _check_not_last(row)
        before, row.role = row.role, role
        row.save(only=[Moderator.role])
        Audit.append("moderator.role", row.name, moderator_id=by.id, before=before, after=role)
    return row


def disable(moderator_id: int, by: Moderator) -> Moderator:
    """Disable an account and end its sessions; raises Conflict for the last administrator."""
    with db.atomic():
        row = _lock(moderator_id)
        if row.disabled_at is not None:
            raise Conflict(f"{row.name} is already disabled.")
        _check_not_last(row)
        _set(row, disabled_at=peewee.fn.now())
        ended = _end_sessions(row)
        Audit.append("moderator.disable", row.name, moderator_id=by.id, sessions_ended=ended)
    return row


def enable(moderator_id: int, by: Moderator) -> Moderator:
    """Enable a disabled account."""
    with db.atomic():
        row = _lock(moderator_id)
        if row.disabled_at is None:
            raise Conflict(f"{row.name} is already enabled.")
        _set(row, disabled_at=None)
        Audit.append("moderator.enable", row.name, moderator_id=by.id)
    return row


def reset(moderator_id: int, by: Moderator) -> tuple[Moderator, str]:
    """Remove a person's password and sessions; returns the token of a reset link."""
    with db.atomic():
        row = _lock(moderator_id)
        if row.id == by.id:
            raise Conflict("Change your own password on your account's page.")
        if row.disabled_at is not None:
            raise Conflict(f"{row.name} is disabled. Enable the account first.")
        # An empty hash matches no password.
        _set(row, password_hash="")  # nosec B106
        ended = _end_sessions(row)
        token = PasswordLink.make(row, INVITE_HOURS)
        Audit.append("moderator.reset", row.name, moderator_id=by.id, sessions_ended=ended)
    return row, token


def remove_second_step(moderator_id: int, by: Moderator) -> Moderator:
    """Turn off two-factor sign-in for a person who lost the phone; their sessions end."""
    with db.atomic():
        row = _lock(moderator_id)
        if not row.has_second_step:
            raise Conflict(f"{row.name} has no second step.")
        if row.id == by.id:
            raise Conflict("Turn your own second step off on your account's page.")
        _set(row, totp_secret=None, totp_confirmed_at=None)
        RecoveryCode.delete_all(row.id)
        ended = _end_sessions(row)
        Audit.append("second_step.remove", row.name, moderator_id=by.id, sessions_ended=ended)
    return row


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise Invalid(f"role must be one of {', '.join(ROLES)}.", field="role")


def _lock(moderator_id: int) -> Moderator:
    """Lock the account together with every administrator, always in the same order.

    If two administrators disable each other at once, the second waits here and then sees the
    first one's change. So one administrator always remains.
    """
    rows = (
        Moderator.select()
        .where((Moderator.id == moderator_id) | (Moderator.role == "administrator"))
        .order_by(Moderator.id)
        .for_update()
    )
    for row in list(rows):
        if row.id == moderator_id:
            return row
    raise NotFound("This account does not exist.")


def _check_not_last(row: Moderator) -> None:
    """Raises Conflict if there is no other enabled administrator; the rows are locked."""
    others = Moderator.select().where(
        Moderator.role == "administrator",
        Moderator.disabled_at.is_null(),
        Moderator.id != row.id,
    )
    if row.role == "administrator" and not others.exists():
        raise Conflict(LAST_ADMINISTRATOR)


def _set(row: Moderator, **values: object) -> None:
    Moderator.update(**values).where(Moderator.id == row.id).execute()


def _end_sessions(row: Moderator) -> int:
    """End all sessions and delete unused reset links; returns the number of sessions."""
    PasswordLink.delete().where(
        PasswordLink.moderator == row.id, PasswordLink.used_at.is_null()
    ).execute()
    return ModeratorSession.end_all(row.id)
