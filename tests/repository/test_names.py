"""Names: a class name means one thing in the whole tree."""

import ast
from collections import defaultdict

from models.settings import ROOT

PACKAGES = ("models", "tasks", "webapp")


def top_level_classes(source: str) -> list[str]:
    """Names of the classes that a module defines at its top level."""
    return [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]


def test_class_names_are_unique() -> None:
    places = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for name in top_level_classes(path.read_text("utf-8")):
                places[name].append(str(path.relative_to(ROOT)))
    assert len(places) > 100
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_only_classes_at_the_top_level_count() -> None:
    source = "class A:\n    class Meta: ...\n\ndef make():\n    class B: ...\n"
    assert top_level_classes(source) == ["A"]
