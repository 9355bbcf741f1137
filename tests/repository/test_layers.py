"""One direction: webapp imports tasks and models, tasks imports models, models neither."""

import ast

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


def modules():
    """The three packages' files by their dotted names."""
    for path in FILES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(modules())


def used_files(name):
    """The files of ours that a file imports: at its top, inside functions, for types alone."""
    for target in imported(MODULES[name]):
        while target and target not in MODULES:
            target = target.rpartition(".")[0]
        if target and target != name:
            yield target


def package_of(name):
    """A file's package; one that lies beside the packages of a layer stands for itself."""
    if MODULES[name].name == "__init__.py" or name.count(".") == 1:
        return name
    return name.rpartition(".")[0]


def cycle(graph):
    """The names of a cycle in their order; none where there is no cycle."""
    finished, way = set(), []

    def walk(name):
        if name in way:
            return [*way[way.index(name) :], name]
        if name in finished:
            return []
        way.append(name)
        for target in sorted(graph.get(name, ())):
            if found := walk(target):
                return found
        finished.add(way.pop())
        return []

    return next((found for name in sorted(graph) if (found := walk(name))), [])


def test_no_cycle_between_files():
    assert not cycle({name: set(used_files(name)) for name in MODULES})


def test_no_cycle_between_packages():
    graph = {}
    for name in MODULES:
        package = package_of(name)
        graph.setdefault(package, set()).update(map(package_of, used_files(name)))
    for package, targets in graph.items():
        targets.discard(package)
    assert not cycle(graph)


def test_a_cycle_is_found():
    assert cycle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}) == ["b", "d", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


SHORT = 40  # lines
# Files below it that hold one helper, and why each is a file of its own.
ALONE = {
    "models/expiring_values.py": "used by all three packages, and by no table",
    "webapp/http/fragments.py": "an extension of Flask, used by the sign-in and every page",
    "webapp/wsgi.py": "gunicorn starts it",
}


def is_process(text):
    return '__name__ == "__main__"' in text


def helpers(text):
    """The public functions and classes of a file."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = [node.name for node in ast.parse(text).body if isinstance(node, kinds)]
    return [name for name in names if not name.startswith("_")]


def test_short_files_of_one_helper_have_joined_their_neighbour():
    short = set()
    for path in FILES:
        text = path.read_text("utf-8")
        if path.name == "__init__.py" or "migrations" in path.parts or is_process(text):
            continue
        if text.count("\n") < SHORT and len(helpers(text)) <= 1:
            short.add(str(path.relative_to(ROOT)))
    assert short == set(ALONE)
