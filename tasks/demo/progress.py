"""The demo's output: a progress line and a summary."""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter

from tasks.demo.sender import Tally

EVERY = {True: 0.1, False: 5.0}  # seconds between two lines, on a terminal or not
WIDTH = 24


class Progress:
    """The bar: rewritten in place on a terminal, else a line every few seconds."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._live = sys.stdout.isatty()
        self._shown = 0.0 if self._live else time.monotonic()

    def show(self, tally: Tally) -> None:
        """Show the progress, if enough time has passed."""
        if time.monotonic() - self._shown < EVERY[self._live]:
            return
        self._shown = time.monotonic()
        line = self._line(tally)
        print(f"\r\033[K{line}" if self._live else line, end="" if self._live else "\n", flush=True)

    def close(self) -> None:
        """Clear the progress line."""
        if self._live:
            print("\r\033[K", end="")

    def _line(self, tally: Tally) -> str:
        full = WIDTH * tally.sent // self._total
        bar = f"[{'█' * full}{'·' * (WIDTH - full)}] " if self._live else ""
        parts = [f"{bar}{tally.sent}/{self._total}", _counts(tally.verdicts), _counts(tally.modes)]
        if tally.waiting:
            parts.append(f"waiting {len(tally.waiting)}")
        if tally.refused:
            parts.append(f"refused {tally.refused.total()}")
        return "  ".join(part for part in parts if part)


def _counts(counter: Counter[str]) -> str:
    return " ".join(f"{name} {count}" for name, count in counter.most_common())


def summary(tally: Tally, seconds: float, url: str) -> str:
    """The final table, and the pages to open."""
    rows = [("Sent", f"{tally.sent} in {seconds:.1f} s, {tally.sent / seconds:.1f} per second")]
    rows += _group("Mode", tally.modes)
    rows += _group("Verdict", tally.verdicts)
    if tally.waiting:
        rows.append(("", f"{'still waiting':<22}{len(tally.waiting):>6}"))
    rows += _group("Refused", tally.refused)
    if len(tally.seconds) > 1:
        ranks = statistics.quantiles(tally.seconds, n=100, method="inclusive")
        rows.append(("Latency", f"p50 {ranks[49] * 1000:.0f} ms, p95 {ranks[94] * 1000:.0f} ms"))
    rows.append(("Open", f"{url}/console/        the load"))
    rows.append(("", f"{url}/console/review  the uploads to review"))
    return "\n".join(f"  {name:<10}{text}".rstrip() for name, text in rows)


def _group(name: str, counter: Counter[str]) -> list[tuple[str, str]]:
    """One row per count, the most frequent first; the first row has the name."""
    lines = [f"{key:<22}{count:>6}" for key, count in counter.most_common()]
    return [(name if at == 0 else "", line) for at, line in enumerate(lines)]
