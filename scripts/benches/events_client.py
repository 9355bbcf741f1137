"""Many browsers on the console's events: prints what each of them hears.

Run by ``python -m gevent.monkey``. It prints pairs of seconds of the epoch and the number of flags,
once its standard input says so.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time

import gevent

FLAGS = re.compile(rb"event: to-review\ndata: ([\d,]+)\n")


def listen(port: int, cookie: str, heard: list[tuple[float, int]]) -> None:
    """Read one stream until it ends; keeps each number of flags with its moment."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        # HTTP/1.0, for which nginx does not cut the stream in chunks
        line.sendall(
            f"GET /console/events HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
            "Accept: text/event-stream\r\n\r\n".encode()
        )
        waiting = b""
        while data := line.recv(65536):
            now, waiting = time.time(), waiting + data
            for found in FLAGS.finditer(waiting):
                heard.append((now, int(found[1].replace(b",", b""))))
            waiting = waiting[waiting.rfind(b"\n\n") + 2 :]


def main() -> None:
    """Listen with so many, say so, and print at the end."""
    plan, heard = json.loads(sys.stdin.readline()), []
    streams = [
        gevent.spawn(listen, plan["port"], plan["cookie"], heard) for _ in range(plan["listeners"])
    ]
    while len(heard) < plan["listeners"]:
        gevent.sleep(0.1)
    print("all listen", flush=True)
    gevent.get_hub().threadpool.apply(sys.stdin.readline)  # while the streams go on
    gevent.killall(streams)
    print(json.dumps(heard), flush=True)


if __name__ == "__main__":
    main()
