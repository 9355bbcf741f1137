"""The application's routes, with a path of each that a test can ask for."""

from __future__ import annotations

from uuid import uuid4

from werkzeug.routing import Rule


def paths(rules: list[Rule], method: str, below: str) -> list[tuple[str, str]]:
    """(route, a path of it) of the routes with that method whose address begins with ``below``."""
    return [
        (rule.rule, rule.build({n: _sample(c) for n, c in rule._converters.items()})[1])
        for rule in rules
        if method in rule.methods and rule.rule.startswith(below)
    ]


def _sample(converter: object) -> object:
    kind = type(converter).__name__
    known = {"UUIDConverter": uuid4(), "IntegerConverter": 1, "AnyConverter": "csv"}
    return known.get(kind, "x")
