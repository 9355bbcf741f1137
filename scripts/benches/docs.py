"""Puts measured rows into ``docs/performance.md``: each row has a place of its own there.

So one row can be measured anew, with its own date and machine, and the rest stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from scripts.benches.figures import Figure, markdown


def merge(text: str, figures: Iterable[Figure], machine: dict[str, Any]) -> str:
    """The page with these figures in the places of their rows; a new row comes last."""
    for row, group in groupby(figures, key=lambda figure: figure.row):
        block = f"<!-- bench {row} -->\n{markdown(group, machine)}<!-- end -->\n"
        place = re.compile(rf"<!-- bench {re.escape(row)} -->\n.*?<!-- end -->\n", re.S)
        if place.search(text):
            text = place.sub(lambda _, block=block: block, text, count=1)
        else:
            text = f"{text.rstrip()}\n\n## {row.capitalize()}\n\n{block}"
    return text
