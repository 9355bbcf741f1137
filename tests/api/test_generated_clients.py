"""Clients that generators make of the OpenAPI document send texts and pictures to a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.api import PICTURES
from tests.support.stack import Stack

PROGRAMS = Path(__file__).parents[1] / "support" / "generated"
PICTURE = PICTURES / "safe_rocket.jpg"
LEFT_OUT = "apiDocs=false,modelDocs=false,apiTests=false,modelTests=false"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def document(open_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_bytes(requests.get(f"{open_stack.url}/api/openapi.json").content)
    return path


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def used(stack: Stack, key: str, program: str, package: Path) -> dict[str, Any]:
    """What the program printed that uses the generated package."""
    arguments = (sys.executable, PROGRAMS / program, stack.url, key, PICTURE)
    told: dict[str, Any] = json.loads(run(*arguments, PYTHONPATH=str(package)))
    assert set(told["verdicts"].values()) == {"approved"}
    assert told["refused"] == 422
    assert 0 <= told["score"] < 0.2
    return told


def test_openapi_python_client(
    open_stack: Stack, open_key: str, document: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"post_hooks": []}')
    said = run(
        BIN / "openapi-python-client",
        *("generate", "--path", document, "--meta", "none", "--config", config),
        *("--output-path", tmp_path / "sluice_client"),
    )
    assert "Endpoint will not be generated" not in said, said
    told = used(open_stack, open_key, "with_openapi_python_client.py", tmp_path)
    assert len(told["verdicts"]) == 5


def test_openapi_generator(
    open_stack: Stack, open_key: str, document: Path, tmp_path: Path
) -> None:
    said = run(
        BIN / "openapi-generator-cli",
        *("generate", "-g", "python", "-i", document, "-o", tmp_path),
        *("--global-property", f"apis,models,supportingFiles,{LEFT_OUT}"),
    )
    assert "collision" not in said.lower(), said
    told = used(open_stack, open_key, "with_openapi_generator.py", tmp_path)
    assert len(told["verdicts"]) == 4
