"""Texts that are not UTF-8: read as they declare, or refused by name, on every way in."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
import requests

from tests.support.api import PICTURES, Api, eventually, unique
from tests.support.raw import multipart, part
from tests.support.stack import Stack

PARTS = "multipart/form-data; boundary=b"
FORM = "application/x-www-form-urlencoded"
JPEG = (PICTURES / "safe_rocket.jpg").read_bytes()
LATIN = "Café".encode("latin-1")


@pytest.fixture
def send(api: Api) -> Callable[..., requests.Response]:
    """Post a body of a media type; ``path`` is below /api/moderation."""

    def post(body: bytes, kind: str, path: str = "/submissions") -> requests.Response:
        return api.http.post(api.base + path, data=body, headers={"Content-Type": kind})

    return post


def stored(stack: Stack, reply: requests.Response) -> str:
    assert reply.status_code in (200, 202), reply.text
    return stack.sql("SELECT title FROM submission WHERE id = %s", reply.json()["job_id"])[0][0]


def refused(reply: requests.Response, field: str) -> None:
    assert reply.status_code == 422, reply.text
    assert reply.json()["field"] == field
    assert "UTF-8" in reply.json()["detail"]


def bodies(title: bytes, label: str = "") -> dict[str, tuple[bytes, str]]:
    """An upload with this title in every form; ``label`` declares its charset."""
    more = f"; charset={label}" if label else ""
    own = part("title", title, kind=f"text/plain{more}") if label else part("title", title)
    author = f"charsets-{uuid4().hex[:8]}".encode()
    user = part("user_id", author)
    percent = "".join(f"%{byte:02X}" for byte in title).encode()
    return {
        "part": (multipart(user, own), PARTS),
        "form": (b"user_id=%b&title=%b" % (author, percent), FORM + more),
        "raw form": (b"user_id=%b&title=%b" % (author, title), FORM + more),
        "json": (b'{"user_id": "%b", "title": "%b"}' % (author, title), f"application/json{more}"),
    }


@pytest.mark.parametrize("way", bodies(b""))
def test_a_declared_charset_is_stored_as_text(stack: Stack, send, way: str) -> None:
    body, kind = bodies(LATIN, "iso-8859-1")[way]
    assert stored(stack, send(body, kind)) == "Café"


@pytest.mark.parametrize("way", bodies(b""))
def test_an_undeclared_one_is_refused_by_its_field(send, way: str) -> None:
    body, kind = bodies(LATIN)[way]
    refused(send(body, kind), "title")


@pytest.fixture(scope="module")
def banned(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A word that a rule rejects."""
    word = "флорп" + "".join(chr(ord("а") + int(digit, 16)) for digit in uuid4().hex[:8])
    path = tmp_path_factory.mktemp("rules") / "rules.csv"
    path.write_text(f"kind,pattern,action,label\nword,{word},reject,scam\n", "utf-8")
    stack.run("rules", "import", str(path))
    return word


def test_a_text_upload_is_utf_8_or_declares_its_charset(stack: Stack, send) -> None:
    body, kind = bodies(LATIN)["json"]
    refused(send(body, kind, "/submissions/text"), "title")
    assert stored(stack, send(body, f"{kind}; charset=latin1", "/submissions/text")) == "Café"


@pytest.mark.parametrize("way", bodies(b""))
def test_the_rules_see_it(api: Api, send, banned: str, way: str) -> None:
    eventually(lambda: api.decided(title=banned)["verdict"] == "rejected")
    body, kind = bodies(banned.encode("cp1251"), "windows-1251")[way]
    reply = send(body, kind).json()
    assert api.status(reply["job_id"], wait=25)["verdict"] == "rejected"


def test_a_query_is_utf_8_or_declares_its_charset(stack: Stack, api: Api) -> None:
    url = f"{api.base}/submissions/image?user_id={uuid4().hex}&title=Caf%E9"
    headers = {"Content-Type": "image/jpeg"}
    refused(api.http.post(url, data=unique(JPEG), headers=headers), "title")
    reply = api.http.post(f"{url}&_charset_=latin1", data=unique(JPEG), headers=headers)
    assert stored(stack, reply) == "Café"


def test_an_appeal_is_utf_8(send) -> None:
    body = b'{"job_id": "%b", "message": "%b"}' % (str(uuid4()).encode(), LATIN)
    refused(send(body, "application/json", "/appeals"), "message")


def test_a_path_is_utf_8(stack: Stack, api: Api) -> None:
    author = f"\ufffd{uuid4().hex[:8]}"
    api.decided(title="A chair", user_id=author)
    reply = api.http.delete(f"{api.base}/authors/%E9{author[1:]}")
    assert (reply.status_code, reply.json()["type"]) == (400, "urn:sluice:malformed")
    rows = stack.sql("SELECT erased_at FROM submission WHERE user_id = %s", author)
    assert rows == [(None,)]


def test_a_latin_1_byte_in_a_file_name_leaves_the_fields(stack: Stack, send) -> None:
    picture = part("images", unique(JPEG), filename="NAME", kind="image/jpeg")
    body = multipart(
        part("user_id", uuid4().hex.encode()),
        part("title", b"A chair"),
        picture.replace(b"NAME", "café.jpg".encode("latin-1")),
    )
    reply = send(body, PARTS)
    assert stored(stack, reply) == "A chair"
    names = "SELECT given_name FROM image WHERE submission_id = %s"
    assert stack.sql(names, reply.json()["job_id"]) == [("café.jpg",)]
