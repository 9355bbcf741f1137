"""What `up` prints at its end: where everything is, and what a person should change."""

from __future__ import annotations

import argparse
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence

from models.settings import ROOT, Settings
from models.settings.settings import LOOPBACK
from tasks.servers import layout

WIDTH = 100  # columns
LABEL = 12  # columns of a line's first word, with the indent


def print_welcome(settings: Settings, seconds: float, unavailable: Sequence[str]) -> None:
    """Print the addresses, the set-up link, and a warning for each thing that needs a person."""
    command = [sys.executable, "-m", "models.accounts.setup_link"]
    link = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    missing = ", but not everything that it needs" if unavailable else ""
    print(f"\nSluice is up after {seconds:.1f} s{missing}.\n")
    _line("Console", f"{settings.url}/console/")
    if link:
        _line("Set up", link)
        _line("", "(works once; creates the first administrator and an API key)")
    for warning in (*unavailable, *_warnings(settings)):
        print(_wrapped("Warning", warning))
    _line("Logs", str(settings.sluice_home / "log"))
    _line("Next", "scripts/status, scripts/demo, scripts/down\n")


def print_already_up(settings: Settings, options: argparse.Namespace) -> None:
    """Print where the running stack serves, and which options had no effect."""
    print(f"Sluice is already up: {layout.running_url(settings)}")
    ignored = [f"--{name}" for name in ("port", "workers") if getattr(options, name) is not None]
    if ignored:
        instead = "scripts/scale changes the workers, scripts/down and scripts/up the port"
        print(f"{' and '.join(ignored)} had no effect: {instead}.")


def _warnings(settings: Settings) -> Iterator[str]:
    if settings.host in LOOPBACK and not settings.public_url:
        yield (
            f"PUBLIC_URL is not set: links and check_url begin with {settings.url}, this machine's"
            " own address. Set it to the address that browsers and clients use."
        )
    if exposed := layout.readable_by_others(settings):
        yield (
            f"everybody on this machine can read {', '.join(map(str, exposed))}:"
            f" run chmod o-rwx {settings.sluice_home}"
        )
    if settings.hold_webhooks:
        yield "HOLD_WEBHOOKS is on: no webhook is sent, and all calls stay owed."


def _line(label: str, text: str) -> None:
    print(f"  {label:<{LABEL - 2}}{text}", flush=True)


def _wrapped(label: str, text: str) -> str:
    first = f"  {label:<{LABEL - 2}}"
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )
