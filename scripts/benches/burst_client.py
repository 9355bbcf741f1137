"""The burst's client: many connections at once, each sending one upload after another.

A process of its own, run by ``python -m gevent.monkey``: a thousand connections in one thread,
which spends its time in the kernel. It prints one line of JSON an upload.
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

from scripts.benches.load import Line, post, unique

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
    """Read the plan from standard input, send, print what came of each upload."""
    plan = json.load(sys.stdin)
    pictures = {kind: Path(path).read_bytes() for kind, path in plan["pictures"].items()}
    make = maker(plan["keys"], pictures)
    for told in run(plan["port"], make, plan["uploads"], plan["connections"]):
        print(json.dumps(told))


def maker(keys: list[str], pictures: dict[str, bytes]) -> Callable[[int], tuple[str, bytes]]:
    """The kind and the request of an upload by its number; every picture's bytes are new."""
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
    """Send so many uploads over so many connections, which are all open before the first."""
    lines = [Line(port) for _ in range(connections)]
    turns = iter(range(uploads))
    start, told = gevent.event.Event(), []
    sending = [gevent.spawn(_converse, port, line, turns, make, start, told) for line in lines]
    start.set()
    gevent.joinall(sending)
    return told


def _converse(
    port: int,
    line: Line | None,
    turns: Iterator[int],
    make: Callable[[int], tuple[str, bytes]],
    start: gevent.event.Event,
    told: list[dict[str, Any]],
) -> None:
    """One connection's share: the next upload as soon as the last one is answered."""
    start.wait()
    for number in turns:
        kind, request = make(number)
        sent = {"number": number, "kind": kind, "at": time.time()}
        try:
            line = line or Line(port)
            reply = line.ask(request)
        except OSError as error:
            told.append({**sent, "status": 0, "error": type(error).__name__})
            line = None
            continue
        seen = {"status": reply.status, "seconds": reply.seconds, "timing": reply.timing}
        told.append({**sent, **seen, **_said(reply.body)})
        if line.ended:
            line = None


def _said(body: bytes) -> dict[str, Any]:
    """What matters of the answer."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return {name: answer.get(name) for name in ("job_id", "mode", "verdict", "estimated_wait")}


if __name__ == "__main__":
    main()
