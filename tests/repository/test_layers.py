"""One direction: webapp imports tasks and models, tasks imports models, models neither; and what
tests share lies in tests/support, which is all that scripts import of them."""

import ast

import pytest

from models.settings import ROOT

FORBIDDEN = {"models": {"tasks", "webapp"}, "tasks": {"webapp"}, "webapp": set()}
# Waits for the network, burns, or speaks HTTP: not for the package that states and decides.
FOREIGN = {
    "models": {"flask", "gunicorn", "huey", "PIL", "onnxruntime", "redis", "requests", "urllib3"},
    "tasks": {"flask", "gunicorn"},
    "webapp": {"PIL", "onnxruntime", "pdqhash"},
}
FILES = [path for package in FORBIDDEN for path in sorted((ROOT / package).rglob("*.py"))]


OF_TESTS = [path for name in ("tests", "scripts") for path in sorted((ROOT / name).rglob("*.py"))]

QUICK = [path for path in OF_TESTS if path.parent.name in ("pure", "repository")]


def imported(path):
    """The dotted name of everything that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides its layer"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    names = {name.partition(".")[0] for name in imported(path)}
    assert not names & FORBIDDEN[package]
    assert not names & FOREIGN[package]


@pytest.mark.parametrize("path", QUICK, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_runs_quickly_starts_no_stack(path):
    text = path.read_text("utf-8")
    assert not {"tests.support.stack.Stack", "tests.support.stack.running"} & set(imported(path))
    for node in ast.walk(ast.parse(text, str(path))):
        if isinstance(node, ast.FunctionDef):
            names = {argument.arg for argument in node.args.args}
            assert not names & {"stack", "open_stack", "new_stack", "http", "api"}, node.name


@pytest.mark.parametrize("path", OF_TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_of_the_tests_only_what_is_in_support_is_imported(path):
    names = {name for name in imported(path) if name.partition(".")[0] == "tests"}
    assert not [name for name in names if not name.startswith("tests.support.")]
