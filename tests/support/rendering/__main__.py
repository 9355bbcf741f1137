"""Prints the table of docs/pictures.md: files tried of each kind, and how they compare.

Usage: python -m tests.support.rendering [--seeds 100] [--kind NAME] [--keep FOLDER]

``--keep`` writes the files that differ to a folder.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.browser import launch
from tests.support.rendering.compare import DIFFERS, EQUAL, NOTHING, PERSON, REFUSED, check
from tests.support.rendering.corpus import Kind, cases, kinds
from tests.support.rendering.oracle import Oracle

COLUMNS = (EQUAL, PERSON, NOTHING, REFUSED, DIFFERS)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--kind", help="only this kind")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    print(f"| files | tried | {' | '.join(COLUMNS)} |")
    print("| --- |" + " ---: |" * (len(COLUMNS) + 1))
    with sync_playwright() as playwright:
        oracle = Oracle(launch(playwright))
        for kind in kinds():
            if options.kind in (None, kind.name):
                _row(oracle, kind, options.seeds, options.keep)


def _row(oracle: Oracle, kind: Kind, seeds: int, keep: Path | None) -> None:
    outcomes = [check(oracle, case) for case in cases(kind, seeds)]
    counts = Counter(outcome.result for outcome in outcomes)
    figures = " | ".join(str(counts[column]) for column in COLUMNS)
    print(f"| {kind.name} | {len(outcomes)} | {figures} |", flush=True)
    for outcome in outcomes:
        if not outcome.right:
            print(f"    {outcome.case.name}: {outcome.result}: {outcome.details}")
            if keep:
                keep.mkdir(exist_ok=True)
                (keep / outcome.case.name.replace(" ", "_")).write_bytes(outcome.case.data)


if __name__ == "__main__":
    main()
