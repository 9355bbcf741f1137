"""``scripts/labels``."""

from __future__ import annotations

import argparse
from typing import Any

from models.errors import Invalid
from models.labels.label import CHANGEABLE, Label
from models.labels.label_index import labels
from models.labels.uses import Uses, uses
from tasks.commands import command


def show(arguments: argparse.Namespace) -> None:
    """List all labels in their order."""
    counts = uses()
    rows: list[dict[str, Any]] = []
    for row in Label.ordered():
        its = counts.get(row.name, Uses())
        facts: dict[str, Any] = {
            "name": row.name,
            "title": row.title,
            "key": labels.get().entries[row.name].key,
            "state": "retired" if row.retired_at else "machine" if row.by_machine else "offered",
            "graphic": "yes" if row.graphic else "no",
            "rules": its.rules,
            "known images": its.known,
        }
        if arguments.json:
            facts |= {name: getattr(row, name) for name in CHANGEABLE}
        rows.append(facts)
    command.show(rows, as_json=arguments.json)


def add(arguments: argparse.Namespace) -> None:
    """Add a label."""
    row = Label.add(arguments.name, **_facts(arguments))
    print(f"{row.name}: added. Clients read this name in replies and webhooks.")


def change(arguments: argparse.Namespace) -> None:
    """Change what is named."""
    facts = _facts(arguments)
    if not facts:
        raise Invalid("Name what to change; see scripts/labels --help.")
    Label.change(arguments.name, **facts)
    print(f"{arguments.name}: changed")


def move(arguments: argparse.Namespace) -> None:
    """Give it another place in the order."""
    Label.move(arguments.name, arguments.place)
    print(f"{arguments.name}: number {arguments.place}")


def retire(arguments: argparse.Namespace) -> None:
    """No longer offer it."""
    Label.retire(arguments.name)
    print(f"{arguments.name}: retired")


def restore(arguments: argparse.Namespace) -> None:
    """Offer it again."""
    Label.restore(arguments.name)
    print(f"{arguments.name}: offered again")


def _facts(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {name: getattr(arguments, name) for name in CHANGEABLE}
    facts = {name: value for name, value in given.items() if value is not None}
    if "graphic" in facts:
        facts["graphic"] = facts["graphic"] == "yes"
    return facts


def main() -> None:
    """Run the verb."""
    made, verbs = command.parser("labels")
    verb = verbs.add_parser("list", add_help=False)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(act=show)
    for name, act, is_new in (("add", add, True), ("change", change, False)):
        verb = verbs.add_parser(name, add_help=False)
        verb.add_argument("name", metavar="NAME")
        verb.add_argument("--title", required=is_new)
        verb.add_argument("--author-text", required=is_new)
        verb.add_argument("--button")
        verb.add_argument("--guidance")
        verb.add_argument("--category")
        verb.add_argument("--graphic", choices=("yes", "no"))
        verb.set_defaults(act=act)
    verb = verbs.add_parser("move", add_help=False)
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("place", metavar="PLACE", type=int)
    verb.set_defaults(act=move)
    for name, act in (("retire", retire), ("restore", restore)):
        verb = verbs.add_parser(name, add_help=False)
        verb.add_argument("name", metavar="NAME")
        verb.set_defaults(act=act)
    command.run(made)


if __name__ == "__main__":
    main()
