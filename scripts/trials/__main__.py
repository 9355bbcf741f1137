"""`scripts/faults`: runs the requested faults, prints the table and writes it as JSON.

The script `scripts/faults` starts this as the service user and copies the file.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from scripts.trials import checks, hangs, kills, operator, strangers, uploads, webhooks
from scripts.trials.trial import Fault, Plan, Result, run

FAMILIES = (kills, hangs, uploads, checks, webhooks, operator, strangers)
FAULTS: dict[str, Fault] = {fault.name: fault for family in FAMILIES for fault in family.FAULTS}
HEAD = ("fault", "acknowledged", "lost", "twice", "drain", "clients saw", "")


def main() -> None:
    """Run the faults one after another; exits 1 if a promise was broken."""
    options = _parse()
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    if options.list:
        for fault in FAULTS.values():
            print(f"{fault.name:<20} {fault.promise}")
        return
    results = _run(options)
    print(f"\n{table(results)}")
    document = [result.document() for result in results]
    (options.into / "faults.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    (options.into / "faults.md").write_text(markdown(results, options), "utf-8")
    missed = [f"{r.fault}: {promise}" for r in results for promise in r.missed]
    sys.exit("\n".join(["", "faults: missed", *missed]) if missed else 0)


def _run(options: argparse.Namespace) -> list[Result]:
    plan = Plan(options.into, options.uploads or 500, small=options.small)
    if options.quick:
        plan = replace(plan, uploads=options.uploads or 80, rate=16.0, quick=True)
    faults = [FAULTS[name] for name in _wanted(options.names)]
    with ThreadPoolExecutor(options.at_once) as threads:
        return list(threads.map(lambda fault: run(fault, plan), faults))


def _wanted(names: list[str]) -> list[str]:
    return list(FAULTS) if not names or "all" in names else names


def markdown(results: list[Result], options: argparse.Namespace) -> str:
    """The Markdown page of this run."""
    about = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {len(results)} faults"
    if options.at_once > 1:
        about += f", {options.at_once} trials in parallel"
    return f"# `scripts/faults`: results of the last run\n\n{about}.\n\n{table(results)}\n"


def table(results: list[Result]) -> str:
    """The results as a table that is also valid Markdown."""
    rows = [HEAD, *(_cells(result) for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _cells(result: Result) -> tuple[str, ...]:
    drain = "" if result.drain is None else f"{result.drain:.1f} s"
    held = "**misses**" if result.missed else "holds"
    note = f"{held}: {result.notes}" if result.notes else held
    figures = (result.acknowledged, result.lost, result.twice)
    return (result.fault, *(str(figure) for figure in figures), drain, result.saw, note)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/faults", add_help=False)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--uploads", type=int, metavar="N")
    parser.add_argument("--at-once", type=int, default=1, metavar="N")
    parser.add_argument("--small", type=Path)
    parser.add_argument("--into", type=Path, required=True)
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in FAULTS and name != "all"]
    if unknown:
        parser.error(f"there is no fault {unknown[0]}; there are {', '.join(FAULTS)}")
    return options


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("faults: interrupted")
