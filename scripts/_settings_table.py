"""Prints docs/settings.md from the settings' help texts; a test fails if they differ."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from models.settings import Settings

HEAD = """# Settings

For operators: every setting of Sluice, with its default.

Each setting is an environment variable, read once when a process starts. `SLUICE_HOME/sluice.env`
(`var/sluice.env`) may hold settings as `NAME=value` lines; the environment takes precedence. A
secret may be kept in a file of its own: `DATABASE_URL_FILE` is the path of a file that holds
`DATABASE_URL`, and every other setting has such a variable too. An invalid value stops the start
with a line that names the setting, its file and its line. A name that is not a setting is a warning
with the nearest name. `scripts/settings check` prints all of them, and asks the servers.

This page is generated: change the help texts in `models/settings/table.py`, then run
`python scripts/_settings_table.py > docs/settings.md`.

| setting | default | unit | what it is |
| --- | --- | --- | --- |"""


def shown(value: object) -> str:
    """A default value as the table shows it."""
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
