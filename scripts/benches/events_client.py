"""Many listeners on the console's event stream: prints the events that each receives.

Run by ``python -m gevent.monkey``. After a line on standard input it prints pairs of epoch seconds
and the number of flags.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time

import gevent

FLAGS = re.compile(rb"event: to-review\ndata: ([\d,]+)\n")


def listen(port: int, cookie: str, arrivals: list[tuple[float, int]]) -> None:
    """Read one stream until it ends; stores each number of flags with its time."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        # HTTP/1.0, so nginx does not use chunked encoding
        line.sendall(
            f"GET /console/events HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
            "Accept: text/event-stream\r\n\r\n".encode()
        )
        waiting = b""
        while data := line.recv(65536):
            now, waiting = time.time(), waiting + data
            for found in FLAGS.finditer(waiting):
                arrivals.append((now, int(found[1].replace(b",", b""))))
            waiting = waiting[waiting.rfind(b"\n\n") + 2 :]


def main() -> None:
    """Open the listeners, report that they are ready, and print the events at the end."""
    plan, arrivals = json.loads(sys.stdin.readline()), []
    streams = [
        gevent.spawn(listen, plan["port"], plan["cookie"], arrivals)
        for _ in range(plan["listeners"])
    ]
    while len(arrivals) < plan["listeners"]:
        gevent.sleep(0.1)
    print("all listen", flush=True)
    gevent.get_hub().threadpool.apply(sys.stdin.readline)  # while the streams continue
    gevent.killall(streams)
    print(json.dumps(arrivals), flush=True)


if __name__ == "__main__":
    main()
