"""One direction: webapp imports tasks and models, tasks imports models, models neither."""

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


def imported(path):
    """The first name of every import of a file, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides its layer"
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    names = set(imported(path))
    assert not names & FORBIDDEN[package]
    assert not names & FOREIGN[package]
