"""What a stack holds of its uploads: rows and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.stack import Stack


def files(stack: Stack) -> set[Path]:
    """Every file of the media."""
    return {path for path in (stack.home / "media").rglob("*") if path.is_file()}


def row_of(stack: Stack, job_id: str) -> dict[str, Any]:
    """The submission's row by its columns, as JSON has them."""
    [(row,)] = stack.sql("SELECT to_jsonb(s) FROM submission s WHERE id = %s", job_id)
    return row
