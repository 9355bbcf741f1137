"""What the docs say is there, and what is there stands in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.settings import ROOT
from webapp.http import errors

API = (ROOT / "docs" / "api.md").read_text()
OPERATING = (ROOT / "docs" / "operating.md").read_text()
README = (ROOT / "README.md").read_text()


def test_every_script_stands_in_the_docs() -> None:
    scripts = [p.name for p in (ROOT / "scripts").iterdir() if p.is_file() and p.name[0] != "_"]
    missing = [name for name in scripts if f"`scripts/{name}" not in OPERATING]
    assert not missing


def test_every_process_stands_in_the_docs() -> None:
    names = re.findall(r"^([a-z-]+):", (ROOT / "Procfile").read_text(), re.M)
    assert names
    assert not [name for name in names if f"`{name}`" not in OPERATING]


def test_every_problem_a_client_can_cause_stands_in_the_docs() -> None:
    for code, (status, _) in errors.STATUS.items():
        if code not in ("internal", "forbidden"):
            assert f"| {status} | `urn:sluice:{code}` |" in API


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/api.md",
        "docs/deploy.md",
        "docs/operating.md",
        "docs/privacy.md",
        "docs/security.md",
    ],
)
def test_every_link_leads_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text()):
        assert (path.parent / Path(target)).exists(), target


def test_every_message_of_the_troubleshooting_page_is_one_of_the_code() -> None:
    """The longest part of it that is the same each time stands in the source."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    section = page.partition("## Messages of the scripts")[2].partition("## Symptoms")[0]
    messages = re.findall(r"^\| (?:.*?)`([^`]+)`(?: at a restore)? \|", section, re.M)
    assert len(messages) > 15
    code = "".join(
        path.read_text("utf-8")
        for folder in ("models", "tasks", "scripts")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".sh", "") and path.is_file()
    )
    code = re.sub(r'" ?\\?\n\s+f?"', "", code)  # a message may span lines
    names = r"…|HOST:PORT|\b[A-Z]+_URL|\bWORK\w+|\bPORT\b|/srv/sluice|[\w.]*:?\d+|root|'x'|Warning"
    for message in messages:
        fixed = max((part.strip(" :()") for part in re.split(names, message)), key=len)
        assert fixed in code or fixed == "Address already in use", message


def test_every_script_that_the_readme_names_is_there() -> None:
    for name in set(re.findall(r"scripts/([a-z]+)", README)):
        assert (ROOT / "scripts" / name).is_file(), name


@pytest.mark.parametrize("page", ["security.md", "reliability.md"])
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    named = set(re.findall(r"(tests/[\w/]+\.py)::(\w+)", (ROOT / "docs" / page).read_text()))
    missing = [
        f"{path}::{name}"
        for path, name in sorted(named)
        if not (ROOT / path).is_file()
        or not re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.M)
    ]
    assert not missing


def test_every_promise_of_security_names_its_test() -> None:
    rows = re.findall(r"^\| (.+) \| (.+) \|$", (ROOT / "docs/security.md").read_text(), re.M)
    promises = [row for row in rows if row[0] not in ("promise", "---")]
    assert len(promises) >= 36
    assert all("::test_" in tests for _, tests in promises)
