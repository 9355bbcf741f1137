"""Settings as text: an environment's, a file's of ``NAME=value`` lines, and their parsing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.errors import SettingError


def names(text: str) -> list[str]:
    """The values of a setting that holds several, by comma or space."""
    return [part for part in re.split(r"[\s,]+", text) if part]


def addresses(text: str) -> list[str]:
    """The addresses of a setting that holds several, by space or comma.

    A comma within one, as between two recipients of mail, does not end it.
    """
    return [part for part in re.split(r"[\s,]+(?=[a-zA-Z][\w+.-]*://)", text.strip(" ,")) if part]


def parse(name: str, text: str, default: Any, choices: tuple[str, ...]) -> Any:
    """A value of the default's kind; raises SettingError."""
    variable = name.upper()
    if choices and text not in choices:
        raise SettingError(f"{variable} is {text!r}; it must be one of {', '.join(choices)}")
    if isinstance(default, bool):
        return _parse_bool(variable, text)
    if isinstance(default, Path):
        return Path(text)
    kind = type(default)
    try:
        return kind(text)
    except ValueError as error:
        raise SettingError(f"{variable} is {text!r}; it must be a number") from error


def _parse_bool(variable: str, text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    if text.lower() not in words:
        raise SettingError(f"{variable} is {text!r}; it must be on or off")
    return words[text.lower()]


def read_named_files(env: Mapping[str, str], wanted: list[str]) -> dict[str, str]:
    """The values of those settings that are given as ``NAME_FILE``."""
    values = {}
    for name in wanted:
        path = env.get(f"{name}_FILE", "")
        if path and name not in env:
            try:
                values[name] = Path(path).read_text("utf-8").strip()
            except OSError as error:
                raise SettingError(f"{name}_FILE: {path}: {error.strerror}") from error
    return values


def read_env_file(path: Path) -> dict[str, str]:
    """The ``NAME=value`` lines of a file; comments and blank lines are skipped."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    values = {}
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, sign, value = line.partition("=")
        if not sign:
            raise SettingError(f"{path}:{number}: {line!r} is not NAME=value")
        values[name.strip()] = value.strip().strip("\"'")
    return values
