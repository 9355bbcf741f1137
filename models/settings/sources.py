"""Where the values of settings come from: the environment, ``sluice.env``, and ``NAME_FILE``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from models.errors import SettingError
from models.settings.parsing import EnvFile, parse, read_value_file
from models.settings.table import ROOT
from models.settings.table_notices import FullTable
from models.settings.variables import setting_names, warnings

FILE = "sluice.env"  # in SLUICE_HOME


@dataclass(frozen=True, slots=True)
class Sources:
    """The texts of the given settings by their variables, and the place of each.

    A place is ``FILE:LINE``, or the path of a ``NAME_FILE``; a variable of the environment has
    none. ``errors`` are sentences about what cannot be read.
    """

    environ: Mapping[str, str]
    file: EnvFile
    texts: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Sources:
        """Read them; the environment takes precedence over the file."""
        home = Path(environ.get("SLUICE_HOME") or ROOT / "var").resolve()
        file = EnvFile.read(home / FILE)
        made = cls(environ, file, errors=list(file.errors))
        given = {**file.values, **environ, "SLUICE_HOME": str(home)}
        for name in (f.name.upper() for f in fields(FullTable)):
            if name in given:
                made._give(name, given[name], environ)
            elif given.get(f"{name}_FILE"):
                made._give_file(name, given[f"{name}_FILE"])
        return made

    def warnings(self) -> list[str]:
        """A sentence for each name that has no effect, such as a mistyped one."""
        return list(warnings(self.file, self.environ))

    def values(self, errors: list[str]) -> dict[str, Any]:
        """The parsed values by field; a sentence for each invalid one is added to ``errors``."""
        values = {}
        for f in fields(FullTable):
            text = self.texts.get(f.name.upper(), "")
            if text != "":
                try:
                    values[f.name] = parse(f.name, text, f.default, f.metadata["choices"])
                except SettingError as error:
                    errors.append(self.located(error.detail))
        return values

    def named(self, sentence: str) -> list[str]:
        """The given settings that a sentence names."""
        words = dict.fromkeys(re.findall(r"\b[A-Z][A-Z0-9_]*\b", sentence))
        return [word for word in words if word in self.texts]

    def located(self, sentence: str) -> str:
        """The sentence with the places of the settings that it names."""
        places = [self.places[name] for name in self.named(sentence) if name in self.places]
        return f"{sentence} ({', '.join(places)})" if places else sentence

    def _give(self, name: str, text: str, environ: Mapping[str, str]) -> None:
        self.texts[name] = text
        if name in self.file.lines and name not in environ:
            self.places[name] = self.file.place(name)

    def _give_file(self, name: str, path: str) -> None:
        try:
            self.texts[name] = read_value_file(name, path)
            self.places[name] = path
        except SettingError as error:
            self.errors.append(error.detail)


def given_in_file(sources: Sources) -> int:
    """The number of settings that the file gives."""
    return len(setting_names() & sources.file.values.keys())
