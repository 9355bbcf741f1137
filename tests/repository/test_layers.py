"""One direction: webapp imports tasks and models, tasks imports models, models neither."""

import pytest

from models.settings import ROOT
from tests.support.source import imported

FORBIDDEN = {"models": {"tasks", "webapp"}, "tasks": {"webapp"}, "webapp": set()}
# Waits for the network, burns, or speaks HTTP: not for the package that states and decides.
FOREIGN = {
    "models": {"flask", "gunicorn", "huey", "PIL", "onnxruntime", "redis", "requests", "urllib3"},
    "tasks": {"flask", "gunicorn"},
    "webapp": {"PIL", "onnxruntime", "pdqhash"},
}
FILES = [path for package in FORBIDDEN for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    names = {name.partition(".")[0] for name in imported(path)}
    assert not names & FORBIDDEN[package]
    assert not names & FOREIGN[package]
