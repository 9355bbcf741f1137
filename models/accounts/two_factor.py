"""The second step of signing in: time-based codes (RFC 6238), and recovery codes for a lost phone.

A code holds for its 30 seconds and those beside them, and once: the account remembers the newest
step that was used.
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
BESIDE = 1  # steps before and after this one that hold too: clocks differ
CODES = 10
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
GROUPS, LETTERS_EACH = 4, 4  # 79 bits
WRONG = "This code is not right, or was used before. Take the one that is shown now."
LOST = (
    "The server cannot read the secret of your second step any more. Take a recovery code, or ask"
    " an administrator to take the second step off your account."
)


class RecoveryCode(Model):
    """A code that takes the place of the phone once; only its digest is stored."""

    digest = peewee.BlobField(primary_key=True)
    moderator = peewee.ForeignKeyField(Moderator, on_delete="CASCADE")
    used_at = peewee.DateTimeField(null=True)

    @classmethod
    def renew(cls, moderator: Moderator) -> list[str]:
        """Ten new codes in place of the old ones; they are seen this once."""
        cls.forget(moderator.id)
        codes = [_new_code() for _ in range(CODES)]
        rows = [{"digest": _digest(moderator, c), "moderator": moderator.id} for c in codes]
        cls.insert_many(rows).execute()
        return codes

    @classmethod
    def use(cls, moderator: Moderator, code: str) -> bool:
        """Use a code up; False where it is not one of the person's, or was used before."""
        query = cls.update(used_at=peewee.fn.now()).where(
            cls.digest == _digest(moderator, code),
            cls.moderator == moderator.id,
            cls.used_at.is_null(),
        )
        return bool(query.execute())

    @classmethod
    def left(cls, moderator: Moderator) -> int:
        """How many codes were not used yet."""
        return cls.select().where(cls.moderator == moderator.id, cls.used_at.is_null()).count()

    @classmethod
    def forget(cls, moderator_id: int) -> None:
        """Forget all codes of a person."""
        cls.delete().where(cls.moderator == moderator_id).execute()


def begin(moderator: Moderator) -> str:
    """A secret for the phone; it counts for nothing until ``confirm``."""
    if moderator.has_second_step:
        raise Conflict("The second step is on already.")
    if not moderator.totp_secret:
        moderator.totp_secret = pyotp.random_base32()
        moderator.save(only=[Moderator.totp_secret])
    return str(moderator.totp_secret)


def address(moderator: Moderator, host: str) -> str:
    """The ``otpauth:`` address that a phone reads from the QR code."""
    name = f"{moderator.name} ({host})"
    return pyotp.TOTP(moderator.totp_secret).provisioning_uri(name=name, issuer_name=ISSUER)


def confirm(moderator: Moderator, code: str, token: str) -> list[str]:
    """Turn the second step on with a first code; the recovery codes. Other browsers sign out."""
    if moderator.has_second_step or not moderator.totp_secret:
        raise Conflict("There is nothing to confirm.")
    with db.atomic():
        if not _use_step(moderator, code):
            raise Invalid(WRONG, field="code")
        Moderator.update(totp_confirmed_at=peewee.fn.now()).where(
            Moderator.id == moderator.id
        ).execute()
        codes = RecoveryCode.renew(moderator)
        ModeratorSession.end_all(moderator.id, but=token)
        Audit.append("second_step.on", moderator.name, moderator_id=moderator.id)
    return codes


def passes(moderator: Moderator, code: str) -> bool:
    """Whether this code, of the phone or a recovery one, lets the person in; it is used up."""
    if not moderator.has_second_step:
        return False
    if _use_step(moderator, code):
        return True
    with db.atomic():
        used = RecoveryCode.use(moderator, code)
        if used:
            left = RecoveryCode.left(moderator)
            Audit.append("recovery_code.use", moderator.name, moderator_id=moderator.id, left=left)
    return used


def renew_codes(moderator: Moderator) -> list[str]:
    """New recovery codes in place of the old ones."""
    if not moderator.has_second_step:
        raise Conflict("Turn the second step on first.")
    with db.atomic():
        codes = RecoveryCode.renew(moderator)
        Audit.append("recovery_code.renew", moderator.name, moderator_id=moderator.id)
    return codes


def turn_off(moderator: Moderator) -> None:
    """Ask for no code any more."""
    with db.atomic():
        Moderator.update(totp_secret=None, totp_confirmed_at=None).where(
            Moderator.id == moderator.id
        ).execute()
        RecoveryCode.forget(moderator.id)
        if moderator.has_second_step:
            Audit.append("second_step.off", moderator.name, moderator_id=moderator.id)


def _use_step(moderator: Moderator, code: str) -> bool:
    """Whether the code is one of now and newer than any used; a conditional update remembers it.

    Of two requests that bring the same code at once, only one finds the older step.
    """
    code = "".join(code.split())
    if len(code) != 6 or not code.isascii() or not code.isdigit():
        return False
    if not moderator.totp_secret:  # no secret, or one whose key is gone, is nobody's
        raise Unavailable(LOST)
    phone = pyotp.TOTP(moderator.totp_secret)
    now = int(database_now().timestamp()) // STEP
    for step in range(now - BESIDE, now + BESIDE + 1):
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
