"""The team: who is in it, and what an administrator may change of others."""

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
LAST = "This is the last administrator. Make somebody else one first."


@dataclass(frozen=True, slots=True)
class Member:
    """A person of the team, and when a browser of theirs was last here."""

    person: Moderator
    seen_at: datetime | None


def members() -> list[Member]:
    """Everybody, those who are enabled first."""
    seen = peewee.fn.max(ModeratorSession.seen_at).alias("seen_at")
    query = (
        Moderator.select(Moderator, seen)
        .join(ModeratorSession, peewee.JOIN.LEFT_OUTER)
        .group_by(Moderator.id)
        .order_by(Moderator.disabled_at.is_null(False), peewee.fn.lower(Moderator.name))
    )
    return [Member(row, row.seen_at) for row in query.objects()]


def find(moderator_id: int) -> Moderator:
    """The account of that number; raises NotFound."""
    row = Moderator.get_or_none(Moderator.id == moderator_id)
    if row is None:
        raise NotFound("There is no such account.")
    return row


def invites() -> list[Invite]:
    """The links that nobody has used yet and that still hold."""
    return list(
        Invite.select(Invite, Moderator)
        .join(Moderator, peewee.JOIN.LEFT_OUTER)
        .where(Invite.used_at.is_null(), Invite.expires_at > peewee.fn.now())
        .order_by(Invite.created_at.desc())
    )


def invite(role: str, by: Moderator) -> str:
    """A link's token that makes one account of the role; it is seen this once."""
    _known(role)
    with db.atomic():
        token = Invite.make(role, INVITE_HOURS, by.id)
        Audit.append("invite.create", role, moderator_id=by.id, hours=INVITE_HOURS)
    return token


def revoke_invite(invite_id: int, by: Moderator) -> None:
    """End a link before it is used; raises NotFound where it was used or is over."""
    with db.atomic():
        gone = Invite.delete().where(Invite.id == invite_id, Invite.used_at.is_null())
        for row in gone.returning(Invite.role).execute():
            Audit.append("invite.revoke", row.role, moderator_id=by.id)
            return
    raise NotFound("This link was used or revoked before.")


def change_role(moderator_id: int, role: str, by: Moderator) -> Moderator:
    """Give a person another role; raises Conflict for the last administrator."""
    _known(role)
    with db.atomic():
        row = _locked(moderator_id)
        if row.role == role:
            return row
        if row.role == "administrator":
            _not_the_last(row)
        before, row.role = row.role, role
        row.save(only=[Moderator.role])
        Audit.append("moderator.role", row.name, moderator_id=by.id, before=before, after=role)
    return row


def disable(moderator_id: int, by: Moderator) -> Moderator:
    """Shut a person out and end their sessions; raises Conflict for the last administrator."""
    with db.atomic():
        row = _locked(moderator_id)
        if row.disabled_at is not None:
            raise Conflict(f"{row.name} is disabled already.")
        _not_the_last(row)
        _set(row, disabled_at=peewee.fn.now())
        ended = _forget(row)
        Audit.append("moderator.disable", row.name, moderator_id=by.id, sessions_ended=ended)
    return row


def enable(moderator_id: int, by: Moderator) -> Moderator:
    """Let a disabled person sign in again."""
    with db.atomic():
        row = _locked(moderator_id)
        if row.disabled_at is None:
            raise Conflict(f"{row.name} is enabled already.")
        _set(row, disabled_at=None)
        Audit.append("moderator.enable", row.name, moderator_id=by.id)
    return row


def reset(moderator_id: int, by: Moderator) -> tuple[Moderator, str]:
    """End the password and all sessions of a person; the token of the link for a new one."""
    with db.atomic():
        row = _locked(moderator_id)
        if row.id == by.id:
            raise Conflict("Change your own password on your account's page.")
        if row.disabled_at is not None:
            raise Conflict(f"{row.name} is disabled. Enable the account first.")
        # No password is the one of an empty hash.
        _set(row, password_hash="")  # nosec B106
        ended = _forget(row)
        token = PasswordLink.make(row, INVITE_HOURS)
        Audit.append("moderator.reset", row.name, moderator_id=by.id, sessions_ended=ended)
    return row, token


def remove_second_step(moderator_id: int, by: Moderator) -> Moderator:
    """Take a lost second step off an account; its sessions end."""
    with db.atomic():
        row = _locked(moderator_id)
        if not row.has_second_step:
            raise Conflict(f"{row.name} has no second step.")
        if row.id == by.id:
            raise Conflict("Turn your own second step off on your account's page.")
        _set(row, totp_secret=None, totp_confirmed_at=None)
        RecoveryCode.forget(row.id)
        ended = _forget(row)
        Audit.append("second_step.remove", row.name, moderator_id=by.id, sessions_ended=ended)
    return row


def _known(role: str) -> None:
    if role not in ROLES:
        raise Invalid(f"A role is one of {', '.join(ROLES)}.", field="role")


def _locked(moderator_id: int) -> Moderator:
    """The account, locked together with every administrator, always in the same order.

    Two administrators who shut each other out at once wait for each other here: the second one
    sees what the first has done, so that one administrator is always left.
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
    raise NotFound("There is no such account.")


def _not_the_last(row: Moderator) -> None:
    """Raises Conflict where no other enabled administrator is; the rows are locked."""
    others = Moderator.select().where(
        Moderator.role == "administrator",
        Moderator.disabled_at.is_null(),
        Moderator.id != row.id,
    )
    if row.role == "administrator" and not others.exists():
        raise Conflict(LAST)


def _set(row: Moderator, **values: object) -> None:
    Moderator.update(**values).where(Moderator.id == row.id).execute()


def _forget(row: Moderator) -> int:
    """End all sessions and links of a person; returns how many sessions."""
    PasswordLink.delete().where(
        PasswordLink.moderator == row.id, PasswordLink.used_at.is_null()
    ).execute()
    return ModeratorSession.end_all(row.id)
