"""Prints docs/settings.md from the settings' own help; its test fails where the two differ."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from models.settings import Settings

HEAD = """# Settings

Each is an environment variable, read once when a process starts; `SLUICE_HOME/sluice.env`
(`var/sluice.env`) may hold them as `NAME=value` lines, over which the environment wins. What is
secret may stand in a file of its own: `DATABASE_URL_FILE` is the path of one that holds
`DATABASE_URL`, and so for each. A value that cannot be used ends the start with a line that names
it. Made by `python scripts/_settings_table.py > docs/settings.md`.

| setting | default | unit | what it is |
| --- | --- | --- | --- |"""


def shown(value: object) -> str:
    """A default as it stands in the table."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Path):
        return f"`{value.name}`"
    return f"`{value}`" if value != "" else "none"


print(HEAD)
for field in fields(Settings):
    help_, unit = field.metadata["help"], field.metadata["unit"]
    if field.metadata["choices"]:
        help_ += f" ({', '.join(field.metadata['choices'])})"
    print(f"| `{field.name.upper()}` | {shown(field.default)} | {unit} | {help_} |")
