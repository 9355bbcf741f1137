"""The burst's client: many connections at once, each sending one upload after another.

A separate process, run by ``python -m gevent.monkey``: a thousand connections in one thread, which
spends its time in the kernel. It prints one line of JSON per upload.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import gevent.event

from scripts.benches.load import BenchConnection, post, unique

AUTHORS = 5000
TEXTS = (
    ("Oak table, seats six", "Solid oak, two small scratches; collection only, cash please."),
    ("Road bike, 56 cm", "Serviced in spring, new chain and tyres. I can send more photos."),
    ("Question about the allotment", "Does anybody know when the water is turned on again?"),
    ("Free: moving boxes", "About thirty, some taped. First come, first served."),
    ("Thanks to whoever found my keys", "They were at the desk, exactly where you said."),
)
# Of ten uploads: seven texts, two small pictures, one of 100 KB.
KINDS = ("text", "small", "text", "text", "large", "text", "text", "small", "text", "text")


def main() -> None:
    """Read the plan from standard input, send the uploads, print the result of each."""
    plan = json.load(sys.stdin)
    pictures = {kind: Path(path).read_bytes() for kind, path in plan["pictures"].items()}
    make = maker(plan["keys"], pictures)
    for reported in run(plan["port"], make, plan["uploads"], plan["connections"]):
        print(json.dumps(reported))


def maker(keys: list[str], pictures: dict[str, bytes]) -> Callable[[int], tuple[str, bytes]]:
    """Returns a function: upload number -> (kind, request); every picture has new bytes."""
    first = time.time_ns()

    def make(number: int) -> tuple[str, bytes]:
        kind = KINDS[number % len(KINDS)]
        author = number % AUTHORS
        title, text = TEXTS[number % len(TEXTS)]
        fields = {
            "user_id": f"author-{author}",
            "user_ip": f"10.{author // 250}.0.{author % 250}",
            "title": f"{title} ({number})",
            "description": text,
        }
        jpeg = unique(pictures[kind], first + number) if kind in pictures else None
        return kind, post(keys[number % len(keys)], fields, jpeg)

    return make


def run(
    port: int, make: Callable[[int], tuple[str, bytes]], uploads: int, connections: int
) -> list[dict[str, Any]]:
    """Send the uploads over the connections, which are all opened first."""
    lines = [BenchConnection(port) for _ in range(connections)]
    turns = iter(range(uploads))
    start, reported = gevent.event.Event(), []
    sending = [gevent.spawn(_converse, port, line, turns, make, start, reported) for line in lines]
    start.set()
    gevent.joinall(sending)
    return reported


def _converse(
    port: int,
    line: BenchConnection | None,
    turns: Iterator[int],
    make: Callable[[int], tuple[str, bytes]],
    start: gevent.event.Event,
    reported: list[dict[str, Any]],
) -> None:
    """One connection: send the next upload as soon as the last one has a response."""
    start.wait()
    for number in turns:
        kind, request = make(number)
        sent = {"number": number, "kind": kind, "at": time.time()}
        try:
            line = line or BenchConnection(port)
            reply = line.ask(request)
        except OSError as error:
            reported.append({**sent, "status": 0, "error": type(error).__name__})
            line = None
            continue
        seen = {"status": reply.status, "seconds": reply.seconds, "timing": reply.timing}
        reported.append({**sent, **seen, **_said(reply.body)})
        if line.ended:
            line = None


def _said(body: bytes) -> dict[str, Any]:
    """The relevant parts of the response."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return {name: answer.get(name) for name in ("job_id", "mode", "verdict", "estimated_wait")}


if __name__ == "__main__":
    main()
