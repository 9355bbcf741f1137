"""Writes measured rows into ``docs/performance.md``, where each row has its own section.

So one row can be measured again, with its own date and machine, without changing the others. All
figures, including those in no table, are stored in ``docs/performance.json``.
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
    """The page with these figures in their sections and a summary of all stored figures."""
    return summary.put(merge(text, figures, machine), kept)


def keep(kept: Kept, figures: Iterable[Figure], machine: dict[str, Any]) -> Kept:
    """The stored figures with these rows replaced."""
    rows = {
        row: {"machine": machine, "figures": [figure.document() for figure in group]}
        for row, group in groupby(figures, key=lambda figure: figure.row)
    }
    return {**kept, **rows}


def dump(kept: Kept) -> str:
    """The stored figures as JSON, one per line, for readable diffs."""
    return "{" + ",".join(_row(row, known) for row, known in sorted(kept.items())) + "\n}\n"


def _row(row: str, known: Mapping[str, Any]) -> str:
    figures = ",\n    ".join(json.dumps(one, ensure_ascii=False) for one in known["figures"])
    machine = json.dumps(known["machine"], ensure_ascii=False)
    return f'\n  "{row}": {{"machine": {machine}, "figures": [\n    {figures}]}}'


def merge(text: str, figures: Iterable[Figure], machine: dict[str, Any]) -> str:
    """The page with these figures in their rows' sections; a new row is appended."""
    for row, group in groupby(figures, key=lambda figure: figure.row):
        block = f"<!-- bench {row} -->\n{markdown(group, machine)}<!-- end -->\n"
        place = re.compile(rf"<!-- bench {re.escape(row)} -->\n.*?<!-- end -->\n", re.S)
        if place.search(text):
            text = place.sub(lambda _, block=block: block, text, count=1)
        else:
            text = f"{text.rstrip()}\n\n## {row.capitalize()}\n\n{block}"
    return text
