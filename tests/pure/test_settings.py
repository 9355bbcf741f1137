"""Settings are read strictly, and each stands in the docs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from models.errors import SettingError
from models.settings import ROOT, Settings


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "sluice.env").write_text("# mine\nPORT=9000\nWORKERS = 5\n")
    settings = Settings.load({"SLUICE_HOME": str(tmp_path), "PORT": "9001"})
    assert (settings.port, settings.workers) == (9001, 5)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "x", "PORT is 'x'; it must be a number"),
        ("WORKERS", "-1", "must not be negative"),
        ("ENABLE_BACKPRESSURE", "perhaps", "must be on or off"),
        ("NSFW_ENGINE", "magic", "must be one of onnx"),
        ("REVIEW_AT", "0.9", "REVIEW_AT <= REJECT_AT"),
        ("SYNC_MAX_DEPTH", "0", "SYNC_MAX_DEPTH"),
        ("METRICS_LISTEN", "9108", "not HOST:PORT"),
        ("STORAGE_URL", "media", "absolute"),
        ("ALERT_URLS", "hunter2", "^ALERT_URLS must contain URLs"),
        ("NSFW_ENGINE", "remote", "MODERATION_IMAGE_SERVICE_URL"),
        ("MODERATION_IMAGE_SERVICE_URL", "https://a/detect, b/detect", "'b/detect'"),
    ],
)
def test_a_bad_value_is_named(tmp_path: Path, name: str, value: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        Settings.load({"SLUICE_HOME": str(tmp_path), name: value})


def test_a_line_of_the_file_that_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / "sluice.env").write_text("PORT 9000\n")
    with pytest.raises(SettingError, match=r"sluice.env:1"):
        Settings.load({"SLUICE_HOME": str(tmp_path)})


def test_nothing_can_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize("secret", [None, "", "short"])
def test_a_weak_secret_is_refused(tmp_path: Path, secret: str | None) -> None:
    if secret is not None:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "session").write_text(secret)
    with pytest.raises(SettingError):
        Settings.load({"SLUICE_HOME": str(tmp_path)}).secret("session")


def test_every_setting_stands_in_the_docs() -> None:
    table = (ROOT / "docs" / "settings.md").read_text()
    for field in fields(Settings):
        assert f"`{field.name.upper()}`" in table
        assert field.metadata["help"] in table


def test_the_docs_are_what_the_settings_say() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "_settings_table.py")]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert made == (ROOT / "docs" / "settings.md").read_text()
