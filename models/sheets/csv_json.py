"""Reads and writes CSV and JSON: every import and export of the scripts and the console. Pure.

A CSV cell that a spreadsheet would run as a formula is written with a leading apostrophe. Some
spreadsheets split at semicolons, tabs and line breaks, wherever they stand: a formula behind one of
them gets an apostrophe too. Reading removes them, so an export can be imported unchanged.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from models.errors import Invalid

Row = dict[str, str]
MOST_ROWS = 50_000
CHUNK = 16_384  # characters of CSV that are collected before they are passed on
# A spreadsheet may skip white space, control characters and invisible ones before the sign of a
# formula, and some read the full-width signs too. A leading tab or line break alone is enough: it
# can move the rest into a cell of its own. The apostrophes keep the way back unambiguous.
_SKIPPED = r"\s\x00-\x1f\x7f\xad\u200b-\u200f\u2060\ufeff"
_SIGN = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(rf"'*(?:[\t\r\n]|[{_SKIPPED}]*{_SIGN})")
# An empty cell stays one: with white space or dashes alone it is no formula, wherever it is split.
_EMPTY = re.compile(rf"['{_SKIPPED}\-\uff0d]*\Z")
# Apostrophes may stand between, so that guarding changes nothing of what is looked for.
_INNER = re.compile(rf"([;\t\r\n])(?=['{_SKIPPED}]*{_SIGN})")
_INNER_GUARDED = re.compile(rf"([;\t\r\n])'(?=['{_SKIPPED}]*{_SIGN})")


def read(text: str, columns: Sequence[str]) -> list[Row]:
    """The rows of a CSV or JSON text, every value as text; raises Invalid.

    The ``columns`` are required; a missing value is read as an empty one.
    """
    text = text.removeprefix("\ufeff")
    rows = _json(text) if text.lstrip()[:1] in ("[", "{") else _csv(text, columns)
    if not rows:
        raise Invalid("The file has no rows.", field="file")
    if len(rows) > MOST_ROWS:
        raise Invalid(f"The file has more than {MOST_ROWS:,} rows.", field="file")
    return rows


def _csv(text: str, columns: Sequence[str]) -> list[Row]:
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="", strict=True)
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in columns if name not in names]
        if missing:
            raise Invalid(
                f"The first line must name {', '.join(columns)}; {missing[0]} is missing.",
                field="file",
            )
        reader.fieldnames = names
        return [{name: unguarded(row[name]) for name in names if name} for row in reader]
    except csv.Error as error:
        raise Invalid(f"The file is not valid CSV: {error}.", field="file") from error


def guarded(value: Any) -> Any:
    """The value as a CSV cell that no spreadsheet runs: a number stays one, None is empty."""
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, int | float):
        return value
    text = _INNER.sub(r"\1'", str(value))
    return f"'{text}" if _is_formula(text) else text


def unguarded(cell: str) -> str:
    """The text that ``guarded`` was given."""
    text = cell[1:] if cell[:1] == "'" and _is_formula(cell) else cell
    return _INNER_GUARDED.sub(r"\1", text)


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet may run the cell; an apostrophe before it does not change this."""
    return bool(_FORMULA.match(text)) and not _EMPTY.match(text)


def _json(text: str) -> list[Row]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The file is not valid JSON: {error}.", field="file") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid("The JSON is not a list of objects.", field="file")
    return [{str(name): _text(value) for name, value in row.items()} for row in rows]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)


def csv_chunks(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Rows as CSV with a header, in pieces, for a response that streams."""
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([guarded(value) for value in row])
        if lines.size > CHUNK:
            yield lines.take()
    yield lines.take()


class _Lines:
    """Collects a writer's rows, each ended by LF.

    The writer itself ends them by CRLF: it quotes a cell with a CR only if its line end has one.
    """

    def __init__(self) -> None:
        self.size = 0
        self._lines: list[str] = []

    def write(self, line: str) -> None:
        self._lines.append(line.removesuffix("\r\n") + "\n")
        self.size += len(line)

    def take(self) -> str:
        """The lines since the last call."""
        text = "".join(self._lines)
        self.size = 0
        self._lines.clear()
        return text


def as_csv(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV with a header."""
    return "".join(csv_chunks(columns, rows))


def as_json(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as a JSON list of objects."""
    objects = [dict(zip(columns, row, strict=True)) for row in rows]
    return json.dumps(objects, ensure_ascii=False, indent=2) + "\n"
