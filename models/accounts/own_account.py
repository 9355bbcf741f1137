"""Changes that people make to their own account."""

from __future__ import annotations

from models.audit.log import Audit
from models.database.connection import db
from models.errors import NotFound
from models.people.moderator import Moderator, ModeratorSession, PasswordLink
from models.people.preferences import Preferences


def change_password(moderator: Moderator, password_hash: str, token: str) -> int:
    """Change the password and end all other sessions; returns their number."""
    with db.atomic():
        _set_password(moderator, password_hash)
        ended = ModeratorSession.end_all(moderator.id, but=token)
        Audit.append(
            "password.change", moderator.name, moderator_id=moderator.id, sessions_ended=ended
        )
    return ended


def choose_password(link: PasswordLink, password_hash: str) -> Moderator:
    """Set a new password through a reset link; the link is used and every session ends."""
    person: Moderator = link.moderator
    with db.atomic():
        link.use()
        _set_password(person, password_hash)
        ModeratorSession.end_all(person.id)
        Audit.append("password.choose", person.name, moderator_id=person.id)
    return person


def end_session(moderator: Moderator, session_id: int) -> None:
    """End one of the person's own sessions; raises NotFound for others."""
    with db.atomic():
        own = ModeratorSession.delete().where(
            ModeratorSession.id == session_id, ModeratorSession.moderator == moderator.id
        )
        if not own.execute():
            raise NotFound("This browser is already signed out.")
        Audit.append("session.end", moderator.name, moderator_id=moderator.id)


def end_other_sessions(moderator: Moderator, token: str) -> int:
    """End all other sessions of the person; returns their number."""
    with db.atomic():
        ended = ModeratorSession.end_all(moderator.id, but=token)
        if ended:
            Audit.append(
                "session.end_others", moderator.name, moderator_id=moderator.id, count=ended
            )
    return ended


def prefer(moderator: Moderator, preferences: Preferences) -> None:
    """Store the person's preferences."""
    before, after = Preferences.of(moderator).stored, preferences.stored
    changes = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    if not changes:
        return
    with db.atomic():
        moderator.preferences = {**(moderator.preferences or {}), **after}
        moderator.save(only=[Moderator.preferences])
        Audit.append(
            "preferences.change", moderator.name, moderator_id=moderator.id, changes=changes
        )


def _set_password(moderator: Moderator, password_hash: str) -> None:
    Moderator.update(password_hash=password_hash).where(Moderator.id == moderator.id).execute()
