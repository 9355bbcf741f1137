"""Puts measured rows into ``docs/performance.md``: each row has a place of its own there.

So one row can be measured anew, with its own date and machine, and the rest stays as it is. All
figures, those too that stand in no table, are kept in ``docs/performance.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from scripts.benches import summary
from scripts.benches.figures import Figure, markdown
from scripts.benches.summary import Kept


def page_of(text: str, kept: Kept, figures: Sequence[Figure], machine: dict[str, Any]) -> str:
    """The page with these figures in their places and a summary of all that is kept."""
    return summary.put(merge(text, figures, machine), kept)


def keep(kept: Kept, figures: Iterable[Figure], machine: dict[str, Any]) -> Kept:
    """What is kept with these rows in place of their older ones."""
    rows = {
        row: {"machine": machine, "figures": [figure.document() for figure in group]}
        for row, group in groupby(figures, key=lambda figure: figure.row)
    }
    return {**kept, **rows}


def dump(kept: Kept) -> str:
    """What is kept as JSON, a figure a line, so that one can see what changed."""
    return "{" + ",".join(_row(row, known) for row, known in sorted(kept.items())) + "\n}\n"


def _row(row: str, known: Mapping[str, Any]) -> str:
    figures = ",\n    ".join(json.dumps(one, ensure_ascii=False) for one in known["figures"])
    machine = json.dumps(known["machine"], ensure_ascii=False)
    return f'\n  "{row}": {{"machine": {machine}, "figures": [\n    {figures}]}}'


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
