"""``scripts/client``."""

from __future__ import annotations

import argparse
from typing import Any

from models.clients.client import ApiKey, Client
from models.database.connection import db
from models.errors import NotFound
from models.rules.language_switch import language_change
from models.settings import get_settings
from tasks.commands import command
from tasks.webhooks import resolve


def create(arguments: argparse.Namespace) -> None:
    """Create a client and its first key."""
    if arguments.webhook:
        resolve.check_webhook(arguments.webhook, get_settings())
    visibility = "publish_first" if arguments.publish_first else "hold"
    with language_change():
        client = Client.add(
            arguments.name,
            visibility=visibility,
            webhook_url=arguments.webhook,
            publish_unchecked=arguments.publish_unchecked,
            weight=arguments.weight,
            languages=_languages(arguments.languages),
        )
        key = ApiKey.issue(client)
    _print_key(client, key, arguments.json)


def rotate(arguments: argparse.Namespace) -> None:
    """Issue a new key; the client's other keys expire after the overlap."""
    client = Client.named(arguments.name)
    with db.atomic():
        key = ApiKey.issue(client)
        ApiKey.expire_others(client, key, arguments.hours)
    _print_key(client, key, arguments.json)


def revoke(arguments: argparse.Namespace) -> None:
    """Revoke the keys with that ending."""
    count = ApiKey.revoke(Client.named(arguments.name), arguments.ending[-4:])
    if not count:
        raise NotFound(f"{arguments.name} has no valid key that ends in {arguments.ending[-4:]}.")
    print(f"revoked {count}")


def listed(arguments: argparse.Namespace) -> None:
    """List every client with the endings of its keys."""
    rows = []
    for client in Client.select().order_by(Client.name):
        keys = client.keys.where(ApiKey.revoked_at.is_null())
        rows.append(
            {
                "name": client.name,
                "visibility": client.policy().visibility,
                "weight": client.weight,
                "languages": _shown(client.languages),
                "webhook": client.webhook_url,
                "keys": " ".join(f"…{key.hint}" for key in keys) or None,
                "created": client.created_at.date(),
            }
        )
    command.show(rows, as_json=arguments.json)


def _languages(text: str | None) -> list[str] | None:
    if text is None:
        return None
    codes = {code.strip() for code in text.split(",")} - {"", "none"}
    return sorted(codes)


def _shown(languages: list[str] | None) -> str:
    return "default" if languages is None else ",".join(languages) or "none"


def _print_key(client: Client, key: str, as_json: bool) -> None:
    row: dict[str, Any] = {"name": client.name, "key": key}
    if client.webhook_secret:
        row["webhook_secret"] = client.webhook_secret
    command.show_secret(row, "key", as_json=as_json)


def main() -> None:
    """Run the verb."""
    made, verbs = command.parser("client")
    for name, act in (("create", create), ("rotate", rotate), ("revoke", revoke)):
        verb = verbs.add_parser(name, add_help=False)
        verb.add_argument("name", metavar="NAME")
        verb.set_defaults(act=act)
        if name == "revoke":
            verb.add_argument("ending", metavar="KEY-ENDING")
            continue
        verb.add_argument("--json", action="store_true")
        if name == "create":
            verb.add_argument("--webhook", metavar="URL")
            verb.add_argument("--publish-first", action="store_true")
            verb.add_argument("--publish-unchecked", action="store_true")
            verb.add_argument("--weight", type=int, default=1)
            verb.add_argument("--languages", metavar="CODES")
        else:
            verb.add_argument("--hours", type=float, default=24.0)
    verb = verbs.add_parser("list", add_help=False)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(act=listed)
    command.run(made)


if __name__ == "__main__":
    main()
