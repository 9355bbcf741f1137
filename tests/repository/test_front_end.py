"""Templates, stylesheets and scripts: none is left over, and each is in the form that is kept."""

import re

import pytest

from models.settings import ROOT

STATIC, TEMPLATES = ROOT / "static", ROOT / "templates"
PAGES = {path.relative_to(TEMPLATES).as_posix(): path for path in TEMPLATES.rglob("*.html")}
SHEETS = {
    path.relative_to(STATIC / "css").as_posix(): path for path in STATIC.rglob("css/**/*.css")
}
SCRIPTS = {
    path.relative_to(STATIC).as_posix(): path
    for path in STATIC.rglob("*.js")
    if "vendor" not in path.parts
}
MARKUP = "\n".join(path.read_text("utf-8") for path in PAGES.values())
VIEWS = "\n".join(path.read_text("utf-8") for path in (ROOT / "webapp").rglob("*.py"))
LONGEST = 120  # characters of a line
RULE = re.compile(r"([^{}]*)\{")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@pytest.mark.parametrize("name", PAGES)
def test_every_template_is_rendered(name):
    """By its whole name, or by the end of it where the folder is a variable."""
    end = name[name.index("/") :] if "/" in name else name
    said = [f'"{name}"', f'~ "{end}"', f"}}{end}"]
    assert any(words in MARKUP + VIEWS for words in said), name


@pytest.mark.parametrize("name", SHEETS)
def test_every_stylesheet_is_loaded(name):
    assert name.removesuffix(".css") in loaded()


def test_every_stylesheet_that_is_loaded_exists():
    assert {f"{name}.css" for name in loaded()} <= SHEETS.keys()


def loaded():
    """The names that templates hand to ``styles()``."""
    calls = re.findall(r"\{\{ styles\((.*?)\) \}\}", MARKUP, re.DOTALL)
    return {name for call in calls for name in re.findall(r'"([^"]+)"', call)}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_loaded(name):
    """By a page, or by a script of its folder."""
    others = [path for path in SCRIPTS.values() if path != SCRIPTS[name]]
    siblings = "".join(path.read_text("utf-8") for path in others)
    assert f"asset('{name}')" in MARKUP or f'"./{SCRIPTS[name].name}"' in siblings


def test_macros_are_used():
    """Those that every template has."""
    for name in ("_macros.html", "_forms.html", "_lists.html"):
        for macro in re.findall(r"{% macro (\w+)\(", PAGES[f"layout/{name}"].read_text("utf-8")):
            uses = re.findall(rf"(?<!macro )\b{macro}\(", MARKUP)
            assert uses, f"{macro} of {name}"


def test_fields_are_styled_in_one_file():
    """Elsewhere a class says what is around a field, or sets what inputs.css reads."""
    for name, path in SHEETS.items():
        rules = RULE.findall(COMMENT.sub("", path.read_text("utf-8")))
        found = [rule.strip() for rule in rules if re.search(FIELD, rule)]
        assert (name == "inputs.css") == bool(found), f"{name}: {found}"


def test_every_class_that_is_styled_is_used():
    """By a template, a view or a script, vendored ones too; ``stat-NAME`` is named in Python."""
    scripts = "\n".join(path.read_text("utf-8") for path in STATIC.rglob("*.js"))
    words = set(re.findall(r"[A-Za-z][\w-]*", MARKUP + scripts + VIEWS))
    for name, path in SHEETS.items():
        rules = " ".join(RULE.findall(COMMENT.sub("", path.read_text("utf-8"))))
        classes = set(re.findall(r"\.([a-z][\w-]*)", rules))
        assert {each.removeprefix("stat-") for each in classes} <= words, name


def test_htmx_is_told_an_address():
    """An empty one is that of the page, whose first rows would come again."""
    assert not re.search(r'hx-(get|post)(?!=")', MARKUP)


FIELD = r"(?<![\w.#\[-])(input|select|textarea)(?![\w-])"


@pytest.mark.parametrize("name", PAGES)
def test_templates_are_formatted(name):
    """Short lines, indented by twos, with nothing at their ends."""
    lines = PAGES[name].read_text("utf-8").split("\n")
    assert lines[-1] == "" and lines[-2], "ends in one newline"
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        assert len(line) <= LONGEST, where
        assert line == line.rstrip(), where
        indent = len(line) - len(line.lstrip())
        assert "\t" not in line and indent % 2 == 0, where
