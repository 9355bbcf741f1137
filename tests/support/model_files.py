"""The detectors' model files in tests: scripts/test makes them once, in .venv/detectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.settings import ROOT, Settings

FOLDER = ROOT / ".venv" / "detectors"


def needs(name: str) -> Any:
    """Marks what needs a model file, which comes from a registry."""
    reason = f"no {name}: scripts/vendor detectors --into .venv/detectors makes it"
    return pytest.mark.skipif(not (FOLDER / name).is_file(), reason=reason)


def settings(home: Path, **values: str) -> Settings:
    """Settings whose model files are those of the tests."""
    given = {"SLUICE_HOME": str(home), "DETECTOR_MODELS": str(FOLDER)}
    return Settings.load(given | {name.upper(): value for name, value in values.items()})
