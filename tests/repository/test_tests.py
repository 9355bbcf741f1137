"""What the tests themselves must keep: where helpers lie, what is quick, no bound on the clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.settings import ROOT
from tests.support.source import imported

TESTS = sorted((ROOT / "tests").rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))
QUICK = [path for path in TESTS if path.parent.name in ("pure", "repository")]  # --quick
STACKS = {"tests.support.stack.Stack", "tests.support.stack.running"}
FIXTURES = {"stack", "open_stack", "new_stack", "http", "api", "new_client", "client_key"}
CLOCKS = {"monotonic", "perf_counter", "elapsed"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def asserted(tree: ast.AST) -> Iterator[tuple[int, set[str]]]:
    """The line of each assertion, and the attributes that stand in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            parts = ast.walk(node)
            yield node.lineno, {part.attr for part in parts if isinstance(part, ast.Attribute)}


@pytest.mark.parametrize("path", [*TESTS, *SCRIPTS], ids=named)
def test_of_the_tests_only_what_is_in_support_is_imported(path):
    names = {name for name in imported(path) if name.partition(".")[0] == "tests"}
    assert not [name for name in names if not name.startswith("tests.support.")]


@pytest.mark.parametrize("path", QUICK, ids=named)
def test_what_is_quick_starts_no_stack(path):
    assert not STACKS & set(imported(path))
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.FunctionDef):
            assert not FIXTURES & {argument.arg for argument in node.args.args}, node.name


@pytest.mark.parametrize("path", [p for p in TESTS if p.name.startswith("test_")], ids=named)
def test_no_assertion_reads_the_clock(path):
    """A machine that is busy is no failure: count, compare the order, or wait with wait_until."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    assert not [line for line, names in asserted(tree) if names & CLOCKS]


def test_an_assertion_on_the_clock_is_found():
    [(line, names)] = asserted(ast.parse("assert time.monotonic() - start < 5"))
    assert line == 1 and names & CLOCKS
