"""The initial data of a new database."""

from __future__ import annotations

from models.rules import starter_list
from models.rules.rule import Rule


def seed_rules() -> None:
    """Add the starter rules if there are no rules; from then on they are the operator's."""
    if not Rule.select().exists():
        Rule.put(starter_list.load(), source="starter")
