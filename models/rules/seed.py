"""What a fresh database is planted with."""

from __future__ import annotations

from models.rules import starter_list
from models.rules.rule import Rule


def plant() -> None:
    """Put the starter rules in where there is no rule at all; they are the operator's then."""
    if not Rule.select().exists():
        Rule.put(starter_list.load(), source="starter")
