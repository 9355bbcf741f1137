"""The verbs ``import`` and ``export`` of scripts/rules and scripts/hashes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from models.sheets import csv_json
from models.sheets.import_plan import Plan


class SheetModule(Protocol):
    """A module of ``models`` that imports and exports rows as a sheet."""

    COLUMNS: tuple[str, ...]

    def load(self, rows: Sequence[csv_json.Row], name: str, *, by: str) -> Plan[Any]: ...

    def export(self, query: Any) -> list[tuple[Any, ...]]: ...


def add_verbs(
    verbs: Any, name: str, sheets: SheetModule, columns: Sequence[str], query: Callable[[], Any]
) -> None:
    """Add both verbs to ``scripts/NAME``; ``query`` returns the rows to export."""

    def imported(arguments: argparse.Namespace) -> None:
        """Add and change the rows of a file, all or none."""
        rows = csv_json.read(Path(arguments.file).read_text("utf-8-sig"), sheets.COLUMNS)
        made = sheets.load(rows, arguments.file, by=f"scripts/{name}")
        print(
            f"{len(rows)} {name} imported: {len(made.added)} added,"
            f" {len(made.changed)} changed, {made.same} unchanged"
        )

    def exported(arguments: argparse.Namespace) -> None:
        """Print all rows."""
        write = csv_json.as_json if arguments.json else csv_json.as_csv
        sys.stdout.write(write(columns, sheets.export(query())))

    verb = verbs.add_parser("import", add_help=False)
    verb.add_argument("file", metavar="FILE")
    verb.set_defaults(act=imported)
    verb = verbs.add_parser("export", add_help=False)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(act=exported)
