"""The map of the tree is true: packages explain themselves and stay small."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from models.settings import ROOT
from webapp.console.operations.settings import release

LAYERS = ("models", "tasks", "webapp")
MOST_FILES = 15
SETUP = (ROOT / "setup.cfg").read_text("utf-8")
PACKAGES = sorted(path.parent for layer in LAYERS for path in (ROOT / layer).rglob("__init__.py"))
MAP = ROOT / "docs" / "architecture.md"
TOP = ("CONTRIBUTING.md", "README.md", "SECURITY.md")
PAGES = (*(ROOT / name for name in TOP), *sorted((ROOT / "docs").glob("*.md")))
FOLDERS = ("models", "tasks", "webapp", "tests", "templates", "static", "scripts", "docs", "deploy")
NAMED = re.compile(rf"(?<![\w/.])((?:{'|'.join(FOLDERS)})/[\w./*-]*)")
# What a page names that is no file of the tree: an example, a folder that is made, a Deployment.
OTHERS = {"models/migrations/NNNN_name.py", "deploy/secrets", "deploy/web"}


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


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", text, re.M)
    assert versions[0] == release()
    assert len(versions) == len(set(versions))
    assert re.search(rf"^version = {re.escape(versions[0])}$", SETUP, re.M)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert not [link for link in links if not (page.parent / link).exists()]
    named = {one.rstrip(".") for one in NAMED.findall(text)} - OTHERS
    assert not [one for one in sorted(named) if not any(ROOT.glob(one.rstrip("/")))]


def test_every_package_is_on_the_map_with_the_file_to_open_first() -> None:
    rows = re.findall(r"^\| `([\w/]+)/` \| .+ \| \[`(\S+)`\]", MAP.read_text("utf-8"), re.M)
    assert [package for package, _ in rows] == [name(package) for package in PACKAGES]
    for package, first in rows:
        about = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text("utf-8")))
        assert about is not None
        assert re.search(r"``([\w/]+\.py)``", about)[1] == first, package  # type: ignore[index]


@pytest.mark.parametrize("layer", LAYERS)
def test_every_package_is_in_the_picture(layer: str) -> None:
    drawn = ElementTree.parse(ROOT / "docs" / "images" / "architecture.svg")
    [group] = [one for one in drawn.iter() if one.get("id") == layer]
    names = {f"{layer}/{one.text}" for one in group.iter() if one.get("class") == "pkg"}
    packages = {name(package) for package in PACKAGES if package.parent != ROOT}
    assert names - {"models/migrations"} == {one for one in packages if one.startswith(layer + "/")}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text("utf-8")):
        linked = (page.parent / target) if target else page
        headings = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), re.M)
        anchors = {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
        assert anchor in anchors, f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_of_code_is_closed(page: Path) -> None:
    fences = re.findall(r"^(`{2,})\w*$", page.read_text("utf-8"), re.M)
    assert len(fences) % 2 == 0
    assert set(fences) <= {"```"}
