"""The files of deploy/, read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from models.settings import ROOT

DEPLOY = ROOT / "deploy"
SYSTEMD = sorted((DEPLOY / "systemd").iterdir())
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def documents(*, base: bool = True) -> list[dict[str, Any]]:
    """Every Kubernetes document; ``base``: only those that are applied."""
    left_out = {"kustomization.yaml"} | ({"secret.example.yaml"} if base else set())
    paths = [path for path in MANIFESTS if path.name not in left_out]
    return [one for path in paths for one in yaml.safe_load_all(path.read_text())]


def named(document: dict[str, Any]) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


def pods() -> list[tuple[str, dict[str, Any]]]:
    return [
        (named(d), d["spec"]["template"]["spec"])
        for d in documents()
        if "template" in d.get("spec", {})
    ]


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


OURS = {name: it for name, it in compose()["services"].items() if "build" in it}


def unit(path: Path) -> dict[str, str]:
    """The directives of a unit, each of which stands once."""
    lines = re.findall(r"^(\w+)=(.*)$", path.read_text(), re.M)
    assert len(lines) == len(dict(lines)), path
    return dict(lines)
