"""Bad input gets a clear problem document and leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.support.api import PICTURES, Api, bomb, unique

JPEG = (PICTURES / "safe_rocket.jpg").read_bytes()
JSON = {"Content-Type": "application/json"}


def problem(reply: requests.Response, status: int, code: str, field: str | None = None) -> str:
    """The detail of a problem document, which must be one in every respect."""
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    told = reply.json()
    assert told["type"] == f"urn:sluice:{code}"
    assert told["status"] == status
    assert told["title"] and told["detail"].endswith(".")
    assert told.get("field") == field
    return told["detail"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "malformed"),
        (b"{}", JSON, 400, "malformed"),
        (b"[1]", JSON, 400, "malformed"),
        (b"{", JSON, 400, "malformed"),
        (b"<a/>", {"Content-Type": "text/xml"}, 400, "malformed"),
        (b"--x", {"Content-Type": "multipart/form-data; boundary=y"}, 400, "malformed"),
    ],
)
def test_a_body_that_cannot_be_read(
    api: Api, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    reply = api.http.post(f"{api.base}/submissions", data=body, headers=headers)
    problem(reply, status, code)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"user_id": ""}, "user_id"),
        ({"user_id": "x" * 201}, "user_id"),
        ({"title": "a\0b"}, "title"),
        ({"title": "x" * 1001}, "title"),
        ({"title": 5}, "title"),
        ({"description": "x" * 100_001}, "description"),
        ({"priority": "vip"}, "priority"),
        ({"user_ip": "999.1.1.1"}, "user_ip"),
        ({"user_ip": "no"}, "user_ip"),
        ({"surprise": "x"}, "surprise"),
        ({"images": ["x"]}, "images"),
    ],
)
def test_a_field_that_breaks_a_rule(api: Api, fields: dict[str, Any], field: str) -> None:
    problem(api.submit(**{"title": "hello", **fields}), 422, "invalid", field)


def test_a_lone_surrogate(api: Api) -> None:
    body = b'{"user_id": "a", "title": "half \\ud800 letter"}'
    reply = api.http.post(f"{api.base}/submissions", data=body, headers=JSON)
    assert "lone surrogate" in problem(reply, 422, "invalid", "title")


def test_nothing_to_moderate(api: Api) -> None:
    problem(api.submit(title="  "), 422, "invalid")


def test_a_text_named_jpg(api: Api) -> None:
    detail = problem(api.submit(b"hello world"), 415, "unsupported", "images")
    assert "JPEG, PNG, GIF, WebP or AVIF" in detail


@pytest.mark.parametrize("head", [b"%PDF-1.7", b"BM", b"<svg xmlns=", b"II*\0", b"8BPS", b""])
def test_other_kinds_of_file(api: Api, head: bytes) -> None:
    problem(api.submit(head + (b"\0" * 100 if head else b"")), 415, "unsupported", "images")


def test_a_truncated_jpeg_goes_to_a_person_with_its_reason(api: Api) -> None:
    told = api.decided(unique(JPEG)[:-20_000])
    assert (told["status"], told["verdict"]) == ("decided", "review")
    assert told["reasons"][0]["check"] == "pictures"
    assert "Picture 1" in told["reasons"][0]["explanation"]


def test_a_bomb_is_refused_before_it_is_decoded(api: Api) -> None:
    assert "20,000" in problem(api.submit(bomb(20_000)), 413, "too_large", "images")


def test_six_files(api: Api) -> None:
    problem(api.submit(*[JPEG] * 6), 422, "invalid", "images")


def test_eleven_megabytes(api: Api) -> None:
    problem(api.submit(JPEG + bytes(11_000_000)), 413, "too_large", "images")


def test_more_than_nginx_takes(api: Api) -> None:
    reply = api.http.post(f"{api.base}/submissions", data=bytes(60_000_000), headers=JSON)
    assert reply.status_code == 413
    assert reply.headers["Content-Type"].startswith("application/problem+json")


def test_a_file_in_another_field(api: Api) -> None:
    reply = api.http.post(
        f"{api.base}/submissions", data={"user_id": "a"}, files={"photo": ("a.jpg", JPEG)}
    )
    problem(reply, 422, "invalid", "photo")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer no", "Basic abc", "Bearer \u00e9"])
def test_a_wrong_key(api: Api, header: str) -> None:
    reply = requests.get(f"{api.base}/stats", headers={"Authorization": header.encode()})
    problem(reply, 401, "unauthorised")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("job", ["abc", "00000000-0000-0000-0000-000000000000", "..%2f"])
def test_an_unknown_job(api: Api, job: str) -> None:
    problem(api.http.get(f"{api.base}/status/{job}"), 404, "not_found")


@pytest.mark.parametrize("wait", ["-1", "26", "x", "nan"])
def test_a_wait_out_of_bounds(api: Api, wait: str) -> None:
    job = api.submit(title="x").json()["job_id"]
    reply = api.http.get(f"{api.base}/status/{job}", params={"wait": wait})
    problem(reply, 422, "invalid", "wait")


def test_a_wrong_method_and_a_wrong_address(api: Api) -> None:
    assert api.http.put(f"{api.base}/stats").status_code == 405
    problem(api.http.get(f"{api.base}/nothing"), 404, "not_found")
