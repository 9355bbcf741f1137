"""``scripts/rules``."""

from __future__ import annotations

from typing import Any

from models.rules import import_export
from models.rules.rule import FACTS, Rule
from tasks.commands import command, import_export_verbs


def main() -> None:
    """Run the verb."""
    made, verbs = command.parser("rules")
    import_export_verbs.add_verbs(verbs, "rules", import_export, FACTS, current)
    command.run(made)


def current() -> Any:
    """All rules, by kind and pattern."""
    return Rule.select().where(Rule.removed_at.is_null()).order_by(Rule.kind, Rule.pattern)


if __name__ == "__main__":
    main()
