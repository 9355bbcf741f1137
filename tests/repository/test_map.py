"""The map of the tree is true: packages explain themselves and stay small."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from models.settings import ROOT

LAYERS = ("models", "tasks", "webapp")
MOST_FILES = 15
PACKAGES = sorted(path.parent for layer in LAYERS for path in (ROOT / layer).rglob("__init__.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("package", PACKAGES, ids=name)
def test_a_package_says_what_it_is_for_and_which_file_to_open_first(package: Path) -> None:
    about = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
    files = re.findall(r"``([\w/]+\.py)``", about)
    assert files, "the docstring of a package names the file to open first"
    missing = [file for file in files if not (package / file).is_file()]
    # A package may name the files of its parent, where a process starts.
    assert not [file for file in missing if not (package.parent / file).is_file()]


@pytest.mark.parametrize("layer", LAYERS)
def test_no_folder_holds_more_than_fifteen_files(layer: str) -> None:
    folders = {path.parent for path in (ROOT / layer).rglob("*.py")}
    assert len(folders) > 1
    for folder in folders - {ROOT / "models" / "migrations"}:
        held = [path for path in folder.iterdir() if path.is_file()]
        assert len(held) <= MOST_FILES, name(folder)


@pytest.mark.parametrize("layer", LAYERS)
def test_every_folder_of_modules_is_a_package(layer: str) -> None:
    folders = {path.parent for path in (ROOT / layer).rglob("*.py")}
    assert folders - set(PACKAGES) <= {ROOT / "models" / "migrations"}
