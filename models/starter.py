"""What a fresh database is planted with."""

from __future__ import annotations

from models import starter_rules
from models.rule import Rule


def plant() -> None:
    """Put the starter rules in where there is no rule at all; they are the operator's then."""
    if not Rule.select().exists():
        Rule.put(starter_rules.load(), source="starter")
