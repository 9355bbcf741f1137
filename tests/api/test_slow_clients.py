"""Slow clients and idle sockets hold nothing but a place at nginx."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import psutil
import pytest
import requests

from tests.support.api import JPEG, Api, unique
from tests.support.stack import Stack, wait_until

IDLE, SLOW = 200, 60
HEADER = b"POST /api/moderation/submissions HTTP/1.1\r\nHost: x\r\n"
BODY = b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 900000\r\n\r\n--x\r\n"


def opened(stack: Stack, count: int, first: bytes) -> list[socket.socket]:
    sockets = [socket.create_connection(("127.0.0.1", stack.port)) for _ in range(count)]
    for one in sockets:
        one.sendall(first)
    return sockets


def trickle(sockets: list[socket.socket], piece: bytes) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):  # nginx has had enough of it
            one.sendall(piece)


def is_closed(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        while one.recv(4096):  # a refusal first, if there is one
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@pytest.fixture
def crowd(stack: Stack) -> Iterator[dict[str, list[socket.socket]]]:
    """Sockets that say nothing, that never end their header, and whose body hardly comes."""
    made = {
        "idle": opened(stack, IDLE, b""),
        "header": opened(stack, SLOW, HEADER),
        "body": opened(stack, SLOW, HEADER + BODY),
    }
    yield made
    for sockets in made.values():
        for one in sockets:
            one.close()


def test_two_hundred_idle_sockets_and_slow_clients_hurt_nobody(
    stack: Stack, api: Api, crowd: dict[str, list[socket.socket]]
) -> None:
    until = time.monotonic() + 13  # longer than nginx waits for a header
    while time.monotonic() < until:
        trickle(crowd["header"], b"X-Slow: 1\r\n")
        trickle(crowd["body"], b"x")
        assert requests.get(stack.url + "/healthz", timeout=30).status_code == 200
        assert api.submit(unique(JPEG.name)).status_code in (200, 202)
        time.sleep(0.5)
    assert not any(is_closed(one) for one in crowd["body"])  # they were there all along
    wait_until(lambda: all(is_closed(one) for one in crowd["idle"]))
    wait_until(lambda: all(is_closed(one) for one in crowd["header"]))  # the whole header has 10 s


def test_nothing_but_nginx_listens_on_the_network(stack: Stack) -> None:
    listening = set()
    for pid in stack.left():
        with contextlib.suppress(psutil.NoSuchProcess):
            found = psutil.Process(pid).net_connections("inet")
            listening |= {tuple(c.laddr) for c in found if c.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", stack.port)}
