"""What a person may change of their own account."""

from __future__ import annotations

from models.audit.log import Audit
from models.database.connection import db
from models.errors import NotFound
from models.people.moderator import Moderator, ModeratorSession, PasswordLink
from models.people.preferences import Preferences


def change_password(moderator: Moderator, password_hash: str, token: str) -> int:
    """Another password; every browser but the token's signs out. Returns how many."""
    with db.atomic():
        _set_password(moderator, password_hash)
        ended = ModeratorSession.end_all(moderator.id, but=token)
        Audit.append(
            "password.change", moderator.name, moderator_id=moderator.id, sessions_ended=ended
        )
    return ended


def choose_password(link: PasswordLink, password_hash: str) -> Moderator:
    """The new password of a reset account; the link is used up and every session ends."""
    person: Moderator = link.moderator
    with db.atomic():
        link.use()
        _set_password(person, password_hash)
        ModeratorSession.end_all(person.id)
        Audit.append("password.choose", person.name, moderator_id=person.id)
    return person


def end_session(moderator: Moderator, session_id: int) -> None:
    """Sign one of the person's own browsers out; raises NotFound for another's."""
    with db.atomic():
        own = ModeratorSession.delete().where(
            ModeratorSession.id == session_id, ModeratorSession.moderator == moderator.id
        )
        if not own.execute():
            raise NotFound("This browser is signed out already.")
        Audit.append("session.end", moderator.name, moderator_id=moderator.id)


def end_other_sessions(moderator: Moderator, token: str) -> int:
    """Sign all of the person's other browsers out; returns how many."""
    with db.atomic():
        ended = ModeratorSession.end_all(moderator.id, but=token)
        if ended:
            Audit.append(
                "session.end_others", moderator.name, moderator_id=moderator.id, count=ended
            )
    return ended


def prefer(moderator: Moderator, wanted: Preferences) -> None:
    """Store the person's preferences."""
    before, after = Preferences.of(moderator).stored, wanted.stored
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
