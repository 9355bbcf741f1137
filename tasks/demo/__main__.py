"""``scripts/demo``: create its client, send the uploads, print a summary."""

from __future__ import annotations

import argparse
import random
import time

import peewee

from models.clients.client import ApiKey, Client
from models.database.connection import connect, connection, db
from models.errors import Unavailable
from models.settings import Settings, use_settings
from tasks.demo.progress import Progress, summary
from tasks.demo.sender import Sender, is_up
from tasks.demo.uploads import Stream
from tasks.stack.console import one_line_errors

NAME = "Demo"
STREAMS, FLOOD = 16, 64  # connections
OVERLAP_HOURS = 1.0  # how long the last run's key stays valid
FOLLOW = 30.0  # seconds to wait for the last verdicts


def demo(arguments: argparse.Namespace) -> None:
    """Send the stream to the running stack; raises Unavailable if none runs."""
    settings = use_settings(Settings.load())
    count = arguments.burst or arguments.count
    rate = 0.0 if arguments.burst else arguments.rate
    url = _local(settings)
    if not is_up(url):
        raise Unavailable(f"{url} does not answer: run scripts/up first.")
    key = arguments.key or _key(settings)
    sender = Sender(url, key, FLOOD if arguments.burst else STREAMS)
    seed = random.randrange(1_000_000) if arguments.seed is None else arguments.seed  # nosec B311
    print(f"{count} uploads to {settings.url} (seed {seed})", flush=True)
    progress, started = Progress(count), time.monotonic()
    try:
        sender.send_all(Stream(seed, count), rate, progress.show)
        seconds = time.monotonic() - started
        sender.follow(FOLLOW, progress.show)
    finally:
        progress.close()
    print(summary(sender.tally, seconds, settings.url))


def _local(settings: Settings) -> str:
    """The URL of nginx itself, past any proxy; with TLS by the certificate's name."""
    if settings.scheme == "https":
        return settings.url
    host = f"[{settings.local_host}]" if ":" in settings.local_host else settings.local_host
    return f"http://{host}:{settings.port}"


def _key(settings: Settings) -> str:
    """A key of the demo's client, which is created if missing; earlier keys expire soon."""
    connect(settings, pool=1)
    with connection(), db.atomic():
        client = Client.get_or_none(Client.name == NAME) or Client.add(NAME)
        key = ApiKey.issue(client)
        ApiKey.expire_others(client, key, OVERLAP_HOURS)
    return key


def main() -> None:
    """Parse and run; an expected failure is one line and exit code 1."""
    made = argparse.ArgumentParser(prog="scripts/demo", add_help=False)
    made.add_argument("--count", type=_whole, default=300)
    made.add_argument("--rate", type=_positive, default=8)
    made.add_argument("--burst", type=_whole)
    made.add_argument("--seed", type=int)
    made.add_argument("--key")
    options = made.parse_args()
    with one_line_errors(made.prog, peewee.OperationalError):
        demo(options)


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise ValueError(text)
    return number


def _whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    main()
