"""Reads and writes rows as CSV or JSON, for the scripts and the console. Pure.

A CSV cell that a spreadsheet would run as a formula is written with a leading apostrophe. Reading
removes it, so an export can be imported unchanged.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from models.errors import Invalid

Row = dict[str, str]
MOST_ROWS = 50_000
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_ESCAPED = re.compile(r"''*[=+\-@\t\r\n]")


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
        return [{name: _bare(row[name]) for name in names if name} for row in reader]
    except csv.Error as error:
        raise Invalid(f"The file is not valid CSV: {error}.", field="file") from error


def _bare(cell: str) -> str:
    return cell[1:] if _ESCAPED.match(cell) else cell


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


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV with a header."""
    page = io.StringIO(newline="")
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_safe(value) for value in row] for row in rows])
    return page.getvalue()


def _safe(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def as_json(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as a JSON list of objects."""
    objects = [dict(zip(columns, row, strict=True)) for row in rows]
    return json.dumps(objects, ensure_ascii=False, indent=2) + "\n"
