"""Shared by these commands: connecting, one-line errors, tables and JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import peewee

from models.database import connection
from models.settings import Settings, use_settings
from tasks.stack.console import one_line_errors

Rows = list[dict[str, Any]]


def parser(script: str) -> tuple[argparse.ArgumentParser, Any]:
    """A parser for a script's verbs; the help is in the script itself."""
    made = argparse.ArgumentParser(prog=f"scripts/{script}", add_help=False)
    return made, made.add_subparsers(dest="verb", required=True, metavar="VERB")


def run(made: argparse.ArgumentParser) -> None:
    """Parse, connect, act; an expected error is one line and exit code 1."""
    arguments = made.parse_args()
    act: Callable[[argparse.Namespace], None] = arguments.act
    with one_line_errors(made.prog, OSError, peewee.OperationalError):
        connection.connect(use_settings(Settings.load()), pool=2)
        with connection.connection():
            act(arguments)


def show(rows: Rows, *, as_json: bool) -> None:
    """Print rows as JSON or as a table."""
    if as_json:
        print(json.dumps(rows, indent=2, default=str, ensure_ascii=False))
        return
    if not rows:
        print("none")
        return
    table = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))


def show_secret(row: dict[str, Any], secret: str, *, as_json: bool) -> None:
    """Print a row with a new secret, which is in its field of that name."""
    if as_json:
        print(json.dumps(row))
        return
    for name, value in row.items():
        print(f"{name}: {value}")
    print(f"The {secret} is not shown again.")


def _cell(value: Any) -> str:
    return "-" if value is None else str(value)
