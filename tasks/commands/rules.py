"""``scripts/rules``."""

from __future__ import annotations

import argparse
from typing import Any

from models.clients.client import Client
from models.clients.language_names import LANGUAGES
from models.clients.languages import language_uses, languages_of
from models.errors import Invalid
from models.rules import import_export
from models.rules.import_export import EXPORTED
from models.rules.language_switch import switch_language
from models.rules.listing import RuleFilter, active_by_language
from models.rules.rule import Rule
from tasks.commands import command, import_export_verbs


def main() -> None:
    """Run the verb."""
    made, verbs = command.parser("rules")
    import_export_verbs.add_verbs(verbs, "rules", import_export, EXPORTED, current)
    verb = verbs.add_parser("languages", add_help=False)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(act=languages)
    verb = verbs.add_parser("language", add_help=False)
    verb.add_argument("language", metavar="CODE")
    verb.add_argument("to", metavar="on|off", choices=("on", "off"))
    verb.add_argument("--client", metavar="NAME")
    verb.set_defaults(act=switch)
    command.run(made)


def current() -> Any:
    """All rules, by kind and pattern."""
    return RuleFilter().query().order_by(Rule.kind, Rule.pattern, Rule.id)


def languages(arguments: argparse.Namespace) -> None:
    """List the languages that have rules, and who uses them."""
    counts = active_by_language()
    rows = [
        {
            "code": use.language,
            "language": use.name,
            "active rules": counts[use.language],
            "default": "yes" if use.is_default else "no",
            "clients": f"{len(use.clients)} of {use.total}",
        }
        for use in language_uses(code for code in counts if code)
    ]
    command.show(rows, as_json=arguments.json)


def switch(arguments: argparse.Namespace) -> None:
    """Switch a language's rules on or off, for one client or for all."""
    client = Client.named(arguments.client) if arguments.client else None
    if arguments.language not in LANGUAGES:
        raise Invalid(f"There is no language {arguments.language!r}. See scripts/rules languages.")
    switch_language(
        arguments.language, on=arguments.to == "on", client_id=client.id if client else None
    )
    name = LANGUAGES[arguments.language]
    print(f"{name} is {arguments.to} for {client.name if client else 'all clients'}")
    if client:
        used = ", ".join(languages_of(Client.find(client.id))) or "none"
        print(f"{client.name} uses: {used}")


if __name__ == "__main__":
    main()
