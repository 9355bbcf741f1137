"""Parsing of settings: from the environment, and from files of ``NAME=value`` lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.errors import SettingError


def names(text: str) -> list[str]:
    """The values of a list setting, separated by commas or spaces."""
    return [part for part in re.split(r"[\s,]+", text) if part]


def addresses(text: str) -> list[str]:
    """The URLs of a list setting, separated by spaces or commas.

    A comma inside a URL, such as between two mail recipients, does not split it.
    """
    return [part for part in re.split(r"[\s,]+(?=[a-zA-Z][\w+.-]*://)", text.strip(" ,")) if part]


def parse(name: str, text: str, default: Any, choices: tuple[str, ...]) -> Any:
    """The text as a value of the default's type; raises SettingError."""
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


def read_named_files(env: Mapping[str, str], names: list[str]) -> dict[str, str]:
    """The values of the settings that are given as ``NAME_FILE``."""
    values = {}
    for name in names:
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
