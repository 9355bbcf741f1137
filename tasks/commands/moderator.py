"""``scripts/moderator``."""

from __future__ import annotations

import argparse
import secrets

import argon2
import peewee

from models.accounts.two_factor import RecoveryCode
from models.audit.log import Audit
from models.database.connection import db
from models.errors import NotFound
from models.people.moderator import Moderator, ModeratorSession
from tasks.commands import command


def create(arguments: argparse.Namespace) -> None:
    """Create an account with a random password."""
    password = secrets.token_urlsafe(12)
    with db.atomic():
        made = Moderator.add(arguments.name, arguments.role, argon2.PasswordHasher().hash(password))
        Audit.append("moderator.create", made.name, role=made.role, by="scripts/moderator")
    _print_password(made, password, arguments.json)


def reset(arguments: argparse.Namespace) -> None:
    """Set a new password, remove the second factor, and end every session of the account."""
    account = _named(arguments.name)
    password = secrets.token_urlsafe(12)
    with db.atomic():
        account.password_hash = argon2.PasswordHasher().hash(password)
        account.totp_secret = account.totp_confirmed_at = None  # to sign in without the phone
        account.save(
            only=[Moderator.password_hash, Moderator.totp_secret, Moderator.totp_confirmed_at]
        )
        RecoveryCode.delete_all(account.id)
        ModeratorSession.delete().where(ModeratorSession.moderator == account).execute()
        Audit.append("moderator.reset", account.name, by="scripts/moderator")
    _print_password(account, password, arguments.json)


def revoke(arguments: argparse.Namespace) -> None:
    """Disable an account and end its sessions."""
    account = _named(arguments.name)
    with db.atomic():
        Moderator.update(disabled_at=peewee.fn.now()).where(Moderator.id == account.id).execute()
        ModeratorSession.delete().where(ModeratorSession.moderator == account).execute()
        Audit.append("moderator.revoke", account.name, by="scripts/moderator")
    print(f"{account.name} cannot sign in any more")


def listed(arguments: argparse.Namespace) -> None:
    """List every account."""
    rows = [
        {
            "name": account.name,
            "role": account.role,
            "enabled": account.disabled_at is None,
            "created": account.created_at.date(),
        }
        for account in Moderator.select().order_by(Moderator.name)
    ]
    command.show(rows, as_json=arguments.json)


def _named(name: str) -> Moderator:
    account = Moderator.named(name)
    if account is None:
        raise NotFound(f"There is no moderator named {name!r}.")
    return account


def _print_password(account: Moderator, password: str, as_json: bool) -> None:
    row = {"name": account.name, "role": account.role, "password": password}
    command.show_secret(row, "password", as_json=as_json)


def main() -> None:
    """Run the verb."""
    made, verbs = command.parser("moderator")
    for name, act in (("create", create), ("reset", reset), ("revoke", revoke)):
        verb = verbs.add_parser(name, add_help=False)
        verb.add_argument("name", metavar="NAME")
        verb.set_defaults(act=act)
        if name != "revoke":
            verb.add_argument("--json", action="store_true")
        if name == "create":
            verb.add_argument("--role", default="moderator")
    verb = verbs.add_parser("list", add_help=False)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(act=listed)
    command.run(made)


if __name__ == "__main__":
    main()
