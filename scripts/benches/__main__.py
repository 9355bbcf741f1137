"""`scripts/bench`: runs the requested rows, prints the figures and writes them to files.

The script `scripts/bench` starts this as the service user and copies the files.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from models.settings import ROOT
from scripts.benches import (
    burst_row,
    console,
    detect,
    detectors,
    docs,
    events,
    fair,
    growth,
    http,
    matching,
    pressed,
    scaling,
    work,
)
from scripts.benches.figures import Figure, document, machine, markdown, table
from scripts.benches.http import Plan

ROWS: dict[str, Callable[[Plan], list[Figure]]] = {
    "intake": http.intake,
    "fast_track": http.fast_track,
    "rules": matching.rules,
    "worker": work.worker,
    "repeats": work.repeats,
    "sync": http.sync,
    "memory": work.memory,
    "detect": detect.detect,
    "up": work.second_up,
    "search": console.search,
    "review": console.review,
    "growth": growth.growth,
    "events": events.events,
    "burst": burst_row.burst,
    "pressed": pressed.pressed,
    "scaling": scaling.scaling,
    "fair": fair.fair,
    "detectors": detectors.detectors,
}
OWN_PAGES = {"detectors"}  # rows whose figures are in a page of their own, docs/ROW.md


def main() -> None:
    """Run the rows one after another; a failure is reported and does not stop the others."""
    options = _parse()
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    if options.list:
        for name, row in ROWS.items():
            print(f"{name:<12} {(row.__doc__ or '').splitlines()[0]}")
        return
    where = machine()
    figures, failed = _run(options)
    if figures:
        print(f"\n{table(figures)}")
        _keep(options.into, figures, where)
    sys.exit(f"bench: failed: {', '.join(failed)}" if failed else 0)


def _run(options: argparse.Namespace) -> tuple[list[Figure], list[str]]:
    rounds, count = (1, 80) if options.quick else (5, 800)
    plan = Plan(options.into, rounds, count, tuple(options.texts), tuple(options.pictures))
    figures: list[Figure] = []
    failed = []
    for name in options.rows or ROWS:
        started = time.monotonic()
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            figures += ROWS[name](plan)
        except (RuntimeError, OSError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed.append(name)
        except Exception:  # a failing row must not lose the other rows' figures
            traceback.print_exc()
            failed.append(name)
        except KeyboardInterrupt:  # print what was measured so far
            return figures, [*failed, f"{name} (interrupted)"]
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return figures, failed


def _keep(folder: Path, figures: list[Figure], where: dict[str, object]) -> None:
    text = json.dumps(document(figures, where), indent=2, ensure_ascii=False)
    (folder / "bench.json").write_text(text + "\n", "utf-8")
    (folder / "bench.md").write_text(markdown(figures, where), "utf-8")
    pages = ROOT / "docs"
    apart = [figure for figure in figures if figure.row in OWN_PAGES]
    for row in {figure.row for figure in apart}:
        own = [figure for figure in apart if figure.row == row]
        page = docs.merge((pages / f"{row}.md").read_text("utf-8"), own, where)
        (folder / f"{row}.md").write_text(page, "utf-8")
    figures = [figure for figure in figures if figure not in apart]
    kept = json.loads((pages / "performance.json").read_text("utf-8"))
    kept = docs.keep(kept, figures, where)
    page = docs.page_of((pages / "performance.md").read_text("utf-8"), kept, figures, where)
    (folder / "performance.md").write_text(page, "utf-8")
    (folder / "performance.json").write_text(docs.dump(kept), "utf-8")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", add_help=False)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--texts", type=Path, action="append", default=[])
    parser.add_argument("--pictures", type=Path, action="append", default=[])
    parser.add_argument("--into", type=Path, required=True)
    options = parser.parse_args()
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]}; there are {', '.join(ROWS)}")
    return options


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
