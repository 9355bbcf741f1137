"""``scripts/rules``."""

from __future__ import annotations

from typing import Any

from models import rule_sheet
from models.rule import FACTS, Rule
from tasks.admin import command, sheets


def main() -> None:
    """Run the verb."""
    made, verbs = command.parser("rules")
    sheets.add_verbs(verbs, "rules", rule_sheet, FACTS, standing)
    command.run(made)


def standing() -> Any:
    """All rules, by kind and pattern."""
    return Rule.select().where(Rule.removed_at.is_null()).order_by(Rule.kind, Rule.pattern)


if __name__ == "__main__":
    main()
