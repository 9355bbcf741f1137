"""The verbs ``import`` and ``export`` of what comes and goes as a sheet: rules, known images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from models.sheets import csv_json
from models.sheets.import_plan import Plan


class Sheets(Protocol):
    """A module of ``models`` that loads and exports the sheets of something."""

    COLUMNS: tuple[str, ...]

    def load(self, rows: Sequence[csv_json.Row], name: str, *, by: str) -> Plan[Any]: ...

    def export(self, query: Any) -> list[tuple[Any, ...]]: ...


def add_verbs(
    verbs: Any, name: str, sheets: Sheets, columns: Sequence[str], query: Callable[[], Any]
) -> None:
    """Add both verbs to ``scripts/NAME``; ``query`` has the rows that are exported."""

    def imported(arguments: argparse.Namespace) -> None:
        """Add and change what a file holds, all or none."""
        rows = csv_json.read(Path(arguments.file).read_text("utf-8-sig"), sheets.COLUMNS)
        made = sheets.load(rows, arguments.file, by=f"scripts/{name}")
        print(
            f"{len(rows)} {name} imported: {len(made.added)} added,"
            f" {len(made.changed)} changed, {made.same} as they were"
        )

    def exported(arguments: argparse.Namespace) -> None:
        """Print all."""
        write = csv_json.as_json if arguments.json else csv_json.as_csv
        sys.stdout.write(write(columns, sheets.export(query())))

    verb = verbs.add_parser("import", add_help=False)
    verb.add_argument("file", metavar="FILE")
    verb.set_defaults(act=imported)
    verb = verbs.add_parser("export", add_help=False)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(act=exported)
