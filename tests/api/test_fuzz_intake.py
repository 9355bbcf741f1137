"""Bodies and requests that no honest client sends, as bytes through nginx to the application."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.api import PICTURES
from tests.support.raw import SUBMISSIONS, multipart, part, post, send, statuses
from tests.support.stack import Stack
from tests.support.tried import tried

JPEG = (PICTURES / "safe_rocket.jpg").read_bytes()
USER, TITLE = part("user_id", b"a"), part("title", b"x")
PICTURE = part("images", JPEG, filename="a.jpg", kind="image/jpeg")
PARTS = "Content-Type: multipart/form-data; boundary=b"
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
CHUNKED = "Transfer-Encoding: chunked"
PLAIN = b'{"user_id": "a", "title": "x"}'
REFUSALS = {400, 413, 415, 422}

# What is in the body, and what is answered: 200 where it can only be read in one way.
BODIES: dict[str, tuple[int, bytes, str]] = {
    "no boundary at the end": (400, multipart(USER, TITLE, end=b""), PARTS),
    "a picture without its end": (400, multipart(USER, PICTURE, end=b""), PARTS),
    "another boundary": (400, multipart(USER, TITLE, boundary=b"c"), PARTS),
    "an empty boundary": (400, multipart(USER, TITLE), PARTS[:-1]),
    "no boundary": (400, multipart(USER, TITLE), "Content-Type: multipart/form-data"),
    "a boundary of 5,000": (400, multipart(USER, boundary=b"b" * 5000), PARTS + "b" * 4999),
    "boundaries alone": (400, b"--b\r\n" * 100_000 + b"--b--", PARTS),
    "beginnings of boundaries": (413, b"\r\n--" * 1_000_000, PARTS),
    "a part's header of 600 KB": (413, multipart(b"X: " + b"a" * 600_000 + USER), PARTS),
    "a part without a header": (400, multipart(USER, b"\r\nx\r\n"), PARTS),
    "a part cut in its header": (400, multipart(USER, b"Content-Disposition: form-data"), PARTS),
    "a part without a name": (
        400,
        multipart(USER, b"Content-Disposition: form-data\r\n\r\nx\r\n"),
        PARTS,
    ),
    "64 parts": (422, multipart(*[part(f"f{i}", b"") for i in range(64)]), PARTS),
    "1,000 parts": (413, multipart(*[part(f"f{i}", b"") for i in range(1000)]), PARTS),
    "1,000 pictures": (422, multipart(USER, *[part("images", b"x", filename="a")] * 1000), PARTS),
    "2 MB of carriage returns": (413, multipart(USER, part("title", b"\r" * 2_000_000)), PARTS),
    "multipart in multipart": (
        415,
        multipart(USER, part("images", multipart(PICTURE, boundary=b"c"), filename="a")),
        PARTS,
    ),
    "a title twice": (422, multipart(USER, TITLE, TITLE), PARTS),
    "an author twice": (422, multipart(USER, USER, TITLE), PARTS),
    "a picture as text": (422, multipart(USER, TITLE, part("images", JPEG[:100])), PARTS),
    "NUL in a title": (422, multipart(USER, part("title", b"a\0b")), PARTS),
    "NUL in a name": (422, multipart(USER, part("ti\0tle", b"x")), PARTS),
    "another alphabet's NUL": (
        422,
        multipart(USER, part("title", b"\xff\xfea\0", kind="text/plain; charset=utf-16")),
        PARTS,
    ),
    "an alphabet that is none": (
        422,
        multipart(USER, part("title", b"x", kind="text/plain; charset=zlib")),
        PARTS,
    ),
    "overlong UTF-8": (422, multipart(USER, part("title", b"\xc0\xaf\xe0\x80\xaf")), PARTS),
    "half a pair in UTF-8": (422, multipart(USER, part("title", b"\xed\xa0\x80")), PARTS),
    "a coded name": (
        422,
        multipart(USER, b"Content-Disposition: form-data; name*=zlib''%ff%fe\r\n\r\nx\r\n"),
        PARTS,
    ),
    "a file name of NUL": (200, multipart(USER, part("images", JPEG, filename="\0")), PARTS),
    "a file name upwards": (
        200,
        multipart(USER, part("images", JPEG, filename="../../../../etc/passwd")),
        PARTS,
    ),
    "a file name of 7,000": (
        200,
        multipart(USER, part("images", JPEG, filename="a" * 7_000)),
        PARTS,
    ),
    "a file name of 100,000": (
        413,
        multipart(USER, part("images", JPEG, filename="a" * 100_000)),
        PARTS,
    ),
    "an empty file": (415, multipart(USER, part("images", b"", filename="")), PARTS),
    "no body": (400, b"", JSON),
    "JSON in Latin-1": (422, '{"user_id": "é", "title": "x"}'.encode("latin-1"), JSON),
    "overlong UTF-8 in JSON": (422, b'{"user_id": "a", "title": "\xc0\xaf"}', JSON),
    "two megabytes of lists": (400, b'{"title":[' + b"[]," * 600_000 + b"[]]}", JSON),
    "strings that never end": (400, b'"\\' * 900_000, JSON),
    "half a million brackets": (400, b"[" * 500_000, JSON),
    "200,000 objects in objects": (400, b'{"a":' * 200_000, JSON),
    "lists in a title": (400, b'{"title":' + b"[" * 990 + b"]" * 990 + b"}", JSON),
    "a number of 100,000 digits": (400, b'{"user_id":' + b"9" * 100_000 + b"}", JSON),
    "a number beyond all bounds": (422, b'{"user_id": 1e999999999, "title": "x"}', JSON),
    "not a number": (422, b'{"user_id": NaN, "title": "x"}', JSON),
    "a JSON title twice": (422, b'{"user_id": "a", "title": "x", "title": "y"}', JSON),
    "two objects": (400, PLAIN + PLAIN, JSON),
    "an object as priority": (422, PLAIN[:-1] + b', "priority": {}}', JSON),
    "zero as priority": (422, PLAIN[:-1] + b', "priority": 0}', JSON),
    "an address with an interface": (422, PLAIN[:-1] + b', "user_ip": "fe80::1%eth0"}', JSON),
    "a number as address": (422, PLAIN[:-1] + b', "user_ip": 16909060}', JSON),
    "100,000 names": (400, json.dumps({f"k{i}": 1 for i in range(100_000)}).encode(), JSON),
    "3 MB of JSON": (413, b" " * 3_000_000 + PLAIN, JSON),
    "gzip": (400, b"\x1f\x8b\x08" + bytes(50), JSON),
    "ampersands": (413, b"&" * 400_000, FORM),
    "100,000 fields": (413, b"a=1&" * 100_000, FORM),
    "broken percents": (200, b"user_id=%&title=%zz%f", FORM),
    "a type that is none": (400, PLAIN, "Content-Type: \xff/;=;;boundary"),
}


def chunk(body: bytes) -> bytes:
    """The body as one chunk and the last one."""
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


# A body and the headers that tell its length, wrongly or in two ways.
LENGTHS: dict[str, tuple[int, bytes, tuple[str, ...]]] = {
    "an endless chunk": (400, b"ffffffffffffffff\r\n" + PLAIN + b"\r\n0\r\n\r\n", (CHUNKED,)),
    "a negative chunk": (400, b"-1\r\n" + PLAIN + b"\r\n0\r\n\r\n", (CHUNKED,)),
    "a chunk in 0x": (400, b"0x1d\r\n" + PLAIN + b"\r\n0\r\n\r\n", (CHUNKED,)),
    "a chunk that is longer": (400, b"5\r\n" + PLAIN + b"\r\n0\r\n\r\n", (CHUNKED,)),
    "garbage for a chunk": (400, b"zz\r\n" + PLAIN, (CHUNKED,)),
    "chunks by line feeds": (400, chunk(PLAIN).replace(b"\r\n", b"\n"), (CHUNKED,)),
    "both lengths": (400, chunk(PLAIN), (CHUNKED, "Content-Length: 5")),
    "both, the other way": (400, chunk(PLAIN), ("Content-Length: 5", CHUNKED)),
    "chunked twice": (400, chunk(PLAIN), (CHUNKED, CHUNKED)),
    "chunked and not": (400, chunk(PLAIN), (CHUNKED, "Transfer-Encoding: identity")),
    "xchunked": (400, chunk(PLAIN), ("Transfer-Encoding: xchunked",)),
    "chunked behind gzip": (400, chunk(PLAIN), ("Transfer-Encoding: gzip, chunked",)),
    "a space before the colon": (400, chunk(PLAIN), ("Transfer-Encoding : chunked",)),
    "a tab before chunked": (400, chunk(PLAIN), ("Transfer-Encoding:\tchunked",)),
    "a vertical tab": (400, chunk(PLAIN), ("Transfer-Encoding: \x0bchunked",)),
    "chunked on the next line": (400, chunk(PLAIN), ("Transfer-Encoding:\r\n chunked",)),
    "two lengths": (400, PLAIN, ("Content-Length: 29", "Content-Length: 5")),
    "a list of lengths": (400, PLAIN, ("Content-Length: 29, 29",)),
    "a signed length": (400, PLAIN, ("Content-Length: +29",)),
    "a negative length": (400, PLAIN, ("Content-Length: -5",)),
    "a length in 0x": (400, PLAIN, ("Content-Length: 0x1d",)),
    "a length past 64 bits": (400, PLAIN, ("Content-Length: 99999999999999999999",)),
    "a short length": (400, PLAIN, ("Content-Length: 5",)),
}

# Headers that may not be, beside an honest body.
HEADERS: dict[str, tuple[int, tuple[str, ...]]] = {
    "a header of 40 KB": (400, ("X: " + "a" * 40_000,)),
    "a thousand headers": (400, tuple(f"X{i}: y" for i in range(1000))),
    "NUL in a header": (400, ("X: a\0b",)),
    "a carriage return in a header": (400, ("X: a\rb",)),
    "a header without a name": (400, (": y",)),
    "a header on the next line": (400, (" X: y",)),
    "two hosts": (400, ("Host: evil",)),
    "two types": (400, ("Content-Type: text/plain",)),
    "two keys": (400, ("Authorization: Bearer x",)),
    "a length with an underscore": (200, ("Content_Length: 5",)),
    "an upgrade": (200, ("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")),
    "another method": (200, ("X-HTTP-Method-Override: DELETE",)),
    "someone else's request id": (200, ("X-Request-ID: 00000000000000000000000000000000",)),
}

LINES = [
    b"GARBAGE\r\n\r\n",
    b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /api/" + b"a" * 6_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /api/\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /api/moderation/stats HTTP/1.1\r\n\r\n",
    b"GET /api/moderation/stats HTTP/3.0\r\nHost: x\r\n\r\n",
    b"TRACE /api/moderation/stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
]


@pytest.fixture
def author() -> str:
    return f"a{uuid4().hex}"


@pytest.fixture
def count(open_stack: Stack) -> Callable[[], int]:
    """How many submissions there are."""
    return lambda: open_stack.sql("SELECT count(*) FROM submission")[0][0]


def problem(reply: bytes, status: int) -> None:
    """There is one reply, and it is a problem document of that status."""
    tried()
    assert statuses(reply) == [status], reply[:2000]
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    told = json.loads(body)
    assert told["status"] == status and told["title"] and told["detail"]


def answered(reply: bytes, status: int, before: int, after: int) -> None:
    """It is one reply, and what was refused left no row."""
    if status == 200:
        tried()
        assert statuses(reply) == [200], reply[:2000]
        assert after == before + 1
    else:
        problem(reply, status)
        assert after == before


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body(open_stack: Stack, open_key: str, count, name: str) -> None:
    status, body, kind = BODIES[name]
    before = count()
    answered(send(open_stack, post(open_key, body, kind)), status, before, count())


@pytest.mark.parametrize("name", LENGTHS)
def test_a_length_that_lies(open_stack: Stack, open_key: str, count, name: str) -> None:
    status, body, headers = LENGTHS[name]
    before = count()
    answered(send(open_stack, post(open_key, body, JSON, *headers)), status, before, count())


@pytest.mark.parametrize("name", HEADERS)
def test_a_hostile_header(open_stack: Stack, open_key: str, count, name: str) -> None:
    status, headers = HEADERS[name]
    before = count()
    answered(send(open_stack, post(open_key, PLAIN, JSON, *headers)), status, before, count())


@pytest.mark.parametrize("line", LINES, ids=lambda line: repr(line[:30]))
def test_a_line_that_is_no_request(open_stack: Stack, line: bytes) -> None:
    reply = send(open_stack, line)
    [status] = statuses(reply)
    assert status in (400, 404, 405, 414)
    problem(reply, status)


@pytest.mark.parametrize(
    "outer",
    [
        ("Content-Length: {length}", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: {length}"),
        ("Transfer-Encoding: xchunked", "Content-Length: {length}"),
        ("Transfer-Encoding:\x0bchunked", "Content-Length: {length}"),
        ("Transfer-Encoding : chunked", "Content-Length: {length}"),
        ("X: y\nTransfer-Encoding: chunked", "Content-Length: {length}"),
        ("Content-Length: 5", "Content-Length: {length}"),
        ("Content_Length: 5", "Content-Length: {length}"),
        ("Content-Length: {length}", "Upgrade: h2c"),
        (CHUNKED,),
    ],
)
def test_no_request_is_smuggled_inside_another(
    open_stack: Stack, open_key: str, author: str, outer: tuple[str, ...]
) -> None:
    """However its length is told, a request in another's body is not run."""
    inner = post(open_key, b'{"user_id": "%b", "title": "x"}' % author.encode(), JSON)
    body = b"0\r\n\r\n" + inner
    headers = [header.format(length=len(body)) for header in outer]
    reply = send(open_stack, post(open_key, body, JSON, *headers))
    tried()
    assert statuses(reply) == [400], reply[:2000]
    assert not of_author(open_stack, author)


def of_author(stack: Stack, author: str) -> list[tuple]:
    return stack.sql("SELECT id FROM submission WHERE user_id = %s", author)


@pytest.mark.parametrize("part_of", [0.1, 0.5, 0.9, 0.999])
def test_a_client_that_hangs_up(
    open_stack: Stack, open_key: str, author: str, part_of: float
) -> None:
    body = multipart(part("user_id", author.encode()), PICTURE)
    whole = post(open_key, body, PARTS)
    with no_file_more(open_stack):
        send(open_stack, whole[: int(len(whole) * part_of)], leave=True)
        tried()
        assert not of_author(open_stack, author)


def test_refused_pictures_leave_no_file(open_stack: Stack, open_key: str) -> None:
    refused = [
        multipart(USER, PICTURE, end=b""),
        multipart(USER, PICTURE, PICTURE, PICTURE, PICTURE, PICTURE, PICTURE),
        multipart(USER, USER, PICTURE),
        multipart(PICTURE, b"Content-Disposition: form-data\r\n\r\nx\r\n"),
        multipart(PICTURE, *[part(f"f{i}", b"") for i in range(100)]),
        multipart(USER, PICTURE, part("images", b"x", filename="b")),
    ]
    with no_file_more(open_stack):
        for body in refused:
            reply = send(open_stack, post(open_key, body, PARTS))
            [status] = statuses(reply)
            assert status in REFUSALS
            problem(reply, status)


@contextmanager
def no_file_more(stack: Stack) -> Iterator[None]:
    """After the block storage holds the files that it held before."""

    def there() -> set[str]:
        return {path.name for path in (stack.home / "media/originals").rglob("*")}

    before = there()
    yield
    assert there() == before


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A multipart body of which a few places were cut, doubled or overwritten."""
    body = bytearray(multipart(USER, TITLE, part("description", b"y"), part("images", b"x")))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        to = draw(st.integers(at, min(len(body), at + 40)))
        new = draw(
            st.sampled_from([b"", b"--b", b"--b--", b"\r\n", b"\r\n\r\n", b'"', b"\0", b";", b"="])
            | st.just(bytes(body[at:to]) * 2)
            | st.binary(max_size=8)
        )
        body[at:to] = new
    return bytes(body)


@settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=spoilt())
def test_spoilt_bodies_are_taken_or_refused(open_stack: Stack, open_key: str, body: bytes) -> None:
    url, headers = open_stack.url + SUBMISSIONS, {"Authorization": f"Bearer {open_key}"}
    kind = {"Content-Type": PARTS.partition(": ")[2]}
    reply = requests.post(url, data=body, headers={**headers, **kind}, timeout=30)
    tried()
    assert reply.status_code in {200, 202, *REFUSALS}, reply.text
    if reply.status_code in REFUSALS:
        assert reply.headers["Content-Type"] == "application/problem+json"


@settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    name=st.sampled_from(["user_id", "title", "description", "user_ip", "priority", "external_id"]),
)
def test_any_json_value_is_taken_or_refused(
    open_stack: Stack, open_key: str, value: object, name: str
) -> None:
    url, headers = open_stack.url + SUBMISSIONS, {"Authorization": f"Bearer {open_key}"}
    body = json.dumps({"user_id": "a", "title": "x", "description": "y", name: value})
    headers["Content-Type"] = "application/json"
    reply = requests.post(url, data=body.encode(), headers=headers, timeout=30)
    tried()
    assert reply.status_code in {200, 202, 422}, reply.text
    if reply.status_code == 422:
        assert reply.json()["field"] == name


NAMES = [
    "../../../../{mark}",
    "/tmp/{mark}",
    "..\\..\\{mark}",
    "%2e%2e%2f{mark}",
    "{mark}\0.jpg",
    "a/../../{mark}/b",
    "....//....//{mark}",
    "-rf {mark}",
    "{mark}" + "x" * 5000,
]


def test_what_a_file_is_called_reaches_no_path(open_stack: Stack, open_key: str) -> None:
    """Whatever a picture is called, its file lies in the store, under a name of ours."""
    mark = f"m{uuid4().hex}"
    for name in NAMES:
        picture = part("images", JPEG, filename=name.format(mark=mark))
        reply = send(open_stack, post(open_key, multipart(USER, picture), PARTS))
        tried()
        assert statuses(reply) in ([200], [202]), reply[:2000]
    there = {*os.listdir("/tmp"), *os.listdir()}
    for folder in (open_stack.home, open_stack.folder):
        there |= {name for _, inside, files in os.walk(folder) for name in (*inside, *files)}
    assert not [name for name in there if mark in name]
    keys = open_stack.sql("SELECT storage_key FROM image")
    assert len(keys) >= len(NAMES)
    assert all(re.fullmatch(r"[0-9-]{8,10}/[0-9a-f-]{32,36}", key) for (key,) in keys)
