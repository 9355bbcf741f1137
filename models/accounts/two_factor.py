"""Two-factor sign-in: time-based codes (TOTP, RFC 6238), and recovery codes for a lost phone.

A code is valid in its own 30 seconds and those before and after, and only once: the account
stores the newest time step used.
"""

from __future__ import annotations

import secrets

import peewee
import pyotp

from models.audit.log import Audit
from models.database.connection import Model, db
from models.database.tokens import digest
from models.errors import Conflict, Invalid, Unavailable
from models.people.moderator import Moderator, ModeratorSession, database_now

ISSUER = "Sluice"
STEP = 30  # seconds
NOBODYS_SECRET = "A" * 32  # nosec B105: of no account; its codes cost time and open nothing
TOLERANCE = 1  # steps before and after the current one that are valid, as clocks differ
CODES = 10
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no letters that look alike
GROUPS, LETTERS_EACH = 4, 4  # 79 bits
WRONG_CODE = "This code is wrong or was used before. Enter the one that is shown now."
SECOND_STEP_UNREADABLE = (
    "The server can no longer read the secret of your second step. Use a recovery code, or ask"
    " an administrator to remove the second step from your account."
)


class RecoveryCode(Model):
    """A code that replaces the phone once; only its digest is stored."""

    digest = peewee.BlobField(primary_key=True)
    moderator = peewee.ForeignKeyField(Moderator, on_delete="CASCADE")
    used_at = peewee.DateTimeField(null=True)

    @classmethod
    def renew(cls, moderator: Moderator) -> list[str]:
        """Replace the codes by ten new ones, which are shown only once."""
        cls.delete_all(moderator.id)
        codes = [_new_code() for _ in range(CODES)]
        rows = [{"digest": _digest(moderator, c), "moderator": moderator.id} for c in codes]
        cls.insert_many(rows).execute()
        return codes

    @classmethod
    def use(cls, moderator: Moderator, code: str) -> bool:
        """Mark a code used; False if it is not this person's or was used before."""
        query = cls.update(used_at=peewee.fn.now()).where(
            cls.digest == _digest(moderator, code),
            cls.moderator == moderator.id,
            cls.used_at.is_null(),
        )
        return bool(query.execute())

    @classmethod
    def count_unused(cls, moderator: Moderator) -> int:
        """The number of unused codes."""
        return cls.select().where(cls.moderator == moderator.id, cls.used_at.is_null()).count()

    @classmethod
    def delete_all(cls, moderator_id: int) -> None:
        """Delete all codes of a person."""
        cls.delete().where(cls.moderator == moderator_id).execute()


def begin(moderator: Moderator) -> str:
    """The secret for the phone; it has no effect until ``confirm``."""
    if moderator.has_second_step:
        raise Conflict("The second step is already on.")
    if not moderator.totp_secret:
        moderator.totp_secret = pyotp.random_base32()
        moderator.save(only=[Moderator.totp_secret])
    return str(moderator.totp_secret)


def address(moderator: Moderator, host: str) -> str:
    """The ``otpauth:`` URL for the QR code."""
    name = f"{moderator.name} ({host})"
    return pyotp.TOTP(moderator.totp_secret).provisioning_uri(name=name, issuer_name=ISSUER)


def confirm(moderator: Moderator, code: str, token: str) -> list[str]:
    """Turn two-factor sign-in on, end other sessions; returns the recovery codes."""
    if moderator.has_second_step or not moderator.totp_secret:
        raise Conflict("There is no second step to confirm. Start again on your account's page.")
    with db.atomic():
        if not _use_step(moderator, code):
            raise Invalid(WRONG_CODE, field="code")
        Moderator.update(totp_confirmed_at=peewee.fn.now()).where(
            Moderator.id == moderator.id
        ).execute()
        codes = RecoveryCode.renew(moderator)
        ModeratorSession.end_all(moderator.id, but=token)
        Audit.append("second_step.on", moderator.name, moderator_id=moderator.id)
    return codes


def verify(moderator: Moderator, code: str) -> bool:
    """Whether this phone or recovery code is valid; it cannot be used again."""
    if not moderator.has_second_step:
        return False
    if _use_step(moderator, code):
        return True
    with db.atomic():
        used = RecoveryCode.use(moderator, code)
        if used:
            left = RecoveryCode.count_unused(moderator)
            Audit.append("recovery_code.use", moderator.name, moderator_id=moderator.id, left=left)
    return used


def verify_or_pretend(moderator: Moderator | None, code: str) -> bool:
    """``verify``; an unknown account or one without a second step takes as long.

    An unreadable secret is a wrong code: who is not signed in yet must not learn about it.
    """
    if moderator is None or not moderator.has_second_step:
        moderator = Moderator(id=0, totp_secret=NOBODYS_SECRET, totp_confirmed_at=True)
    try:
        return verify(moderator, code)
    except Unavailable:
        return False


def renew_codes(moderator: Moderator) -> list[str]:
    """Replace the recovery codes by new ones."""
    if not moderator.has_second_step:
        raise Conflict("Turn the second step on first.")
    with db.atomic():
        codes = RecoveryCode.renew(moderator)
        Audit.append("recovery_code.renew", moderator.name, moderator_id=moderator.id)
    return codes


def turn_off(moderator: Moderator) -> None:
    """Turn two-factor sign-in off."""
    with db.atomic():
        Moderator.update(totp_secret=None, totp_confirmed_at=None).where(
            Moderator.id == moderator.id
        ).execute()
        RecoveryCode.delete_all(moderator.id)
        if moderator.has_second_step:
            Audit.append("second_step.off", moderator.name, moderator_id=moderator.id)


def _use_step(moderator: Moderator, code: str) -> bool:
    """Whether the code is valid now and newer than any used; a conditional update records it.

    If two requests send the same code at once, only one of them finds the older step.
    """
    code = "".join(code.split())
    if len(code) != 6 or not code.isascii() or not code.isdigit():
        return False
    if not moderator.totp_secret:  # none, or Undecryptable: an empty secret must not match
        raise Unavailable(SECOND_STEP_UNREADABLE)
    phone = pyotp.TOTP(moderator.totp_secret)
    now = int(database_now().timestamp()) // STEP
    for step in range(now - TOLERANCE, now + TOLERANCE + 1):
        if secrets.compare_digest(phone.generate_otp(step), code):
            query = Moderator.update(totp_step=step)
            newer = Moderator.totp_step < step
            return bool(query.where(Moderator.id == moderator.id, newer).execute())
    return False


def _new_code() -> str:
    letters = ["".join(secrets.choice(LETTERS) for _ in range(LETTERS_EACH)) for _ in range(GROUPS)]
    return "-".join(letters)


def _digest(moderator: Moderator, code: str) -> bytes:
    letters = "".join(letter for letter in code.lower() if letter.isalnum())
    return digest(f"{moderator.id}:{letters[:64]}")
