"""Parsing of settings: from the environment, and from files of ``NAME=value`` lines."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
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
        value = kind(text)
    except ValueError as error:
        raise SettingError(f"{variable} is {text!r}; it must be a number") from error
    if kind is float and not math.isfinite(value):
        raise SettingError(f"{variable} is {text!r}; it must be a finite number")
    return value


def _parse_bool(variable: str, text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    if text.lower() not in words:
        raise SettingError(f"{variable} is {text!r}; it must be on or off")
    return words[text.lower()]


@dataclass(frozen=True, slots=True)
class EnvFile:
    """A file of ``NAME=value`` lines as far as it can be read.

    ``lines`` has the number of each name's line, ``errors`` a sentence for each line that cannot be
    read, ``repeated`` a sentence for each name that an earlier line has too.
    """

    path: Path
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> EnvFile:
        """The file; an empty one if it does not exist. Comments and blank lines are skipped."""
        made = cls(path)
        try:
            text = path.read_text("utf-8-sig")
        except (FileNotFoundError, NotADirectoryError):
            return made
        except OSError as error:
            made.errors.append(f"{path} cannot be read: {error.strerror}")
            return made
        except UnicodeDecodeError:
            made.errors.append(f"{path} is not UTF-8 text")
            return made
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("#"):
                made._add(number, line)
        return made

    def place(self, name: str) -> str:
        """``FILE:LINE`` of a name."""
        return f"{self.path}:{self.lines[name]}"

    def _add(self, number: int, line: str) -> None:
        name, sign, value = line.partition("=")
        name = name.strip()
        if not sign or not name or "\0" in line:  # the line itself may hold a secret
            self.errors.append(f"{self.path}:{number}: the line is not NAME=value")
            return
        if name in self.values:
            self.repeated.append(
                f"{self.path}:{number}: {name} is also set in line {self.lines[name]}; the last"
                " line counts"
            )
        self.values[name] = value.strip().strip("\"'")
        self.lines[name] = number


def read_env_file(path: Path) -> dict[str, str]:
    """The ``NAME=value`` lines of a file; raises SettingError for any other line."""
    file = EnvFile.read(path)
    if file.errors:
        raise SettingError(file.errors[0])
    return file.values


def read_value_file(name: str, path: str) -> str:
    """The value of a setting that is given as ``NAME_FILE``; raises SettingError."""
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError as error:
        raise SettingError(f"{name}_FILE: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"{name}_FILE: {path} is not UTF-8 text") from error
