"""A picture as the body of a request: the same promises as for a form, and nobody else's files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from flask import Flask

from models.errors import Malformed
from models.settings import Settings, use_settings
from tasks.servers.layout import BODIES
from tests.support.api import JPEG, Api, unique
from tests.support.raw import post, send, statuses
from tests.support.stack import Stack, wait_until
from webapp.uploads import body_file
from webapp.uploads.request import UploadRequest

PATH = "/api/moderation/submissions/image"


def submit(api: Api, body: bytes, kind: str = "image/jpeg", **fields: str) -> requests.Response:
    headers = {"Content-Type": kind, **fields.pop("headers", {})}
    fields.setdefault("user_id", f"author-{uuid4().hex[:10]}")
    return api.http.post(f"{api.base}/submissions/image", body, params=fields, headers=headers)


def stored(stack: Stack, job_id: str) -> tuple[Path, tuple]:
    [(key, *more)] = stack.sql(
        "SELECT storage_key, bytes, sha256, width, height, media_type FROM image"
        " WHERE submission_id = %s",
        job_id,
    )
    return stack.home / "media" / "originals" / key, tuple(more)


def test_it_is_an_upload_like_any_other(api: Api, stack: Stack) -> None:
    picture = unique(JPEG.name)
    reply = submit(api, picture, user_id="someone", title="A täble", external_id="7")
    assert reply.status_code in (200, 202), reply.text
    told = reply.json()
    assert told["external_id"] == "7"
    path, (size, digest, width, height, kind) = stored(stack, told["job_id"])
    assert path.read_bytes() == picture
    assert (size, bytes(digest)) == (len(picture), hashlib.sha256(picture).digest())
    assert (width, height, kind) == (512, 512, "image/jpeg")
    rows = stack.sql("SELECT user_id, title FROM submission WHERE id = %s", told["job_id"])
    assert rows == [("someone", "A täble")]
    assert api.status(told["job_id"], wait=25)["verdict"] == "approved"


def test_the_file_is_sluices_alone(api: Api, stack: Stack) -> None:
    """nginx takes its own name away; what stays has one name and is nobody else's to read."""
    path, _ = stored(stack, submit(api, unique(JPEG.name)).json()["job_id"])
    wait_until(lambda: path.stat().st_nlink == 1)
    assert path.stat().st_mode & 0o077 == 0
    wait_until(lambda: not list((stack.home / BODIES).iterdir()))


def test_a_repeat_under_a_key_is_the_first_one(api: Api) -> None:
    picture, key = unique(JPEG.name), {"headers": {"Idempotency-Key": uuid4().hex}}
    first = submit(api, picture, user_id="same", **key).json()
    assert submit(api, picture, user_id="same", **key).json()["job_id"] == first["job_id"]
    assert submit(api, unique(JPEG.name), user_id="same", **key).status_code == 409


@pytest.mark.parametrize(
    ("body", "kind", "fields", "status", "detail"),
    [
        (b"", "image/jpeg", {}, 400, "The body is empty"),
        (b"no picture", "image/jpeg", {}, 415, "'body' is not a JPEG"),
        (JPEG.read_bytes(), "text/plain", {}, 400, "Send the picture as the body"),
        (JPEG.read_bytes(), "image/jpeg", {"user_id": " "}, 422, "user_id is required"),
        (JPEG.read_bytes(), "image/jpeg", {"colour": "red"}, 422, "Unknown field 'colour'"),
        (JPEG.read_bytes(), "image/jpeg", {"title": ["a", "b"]}, 422, "is repeated"),
        (JPEG.read_bytes() + bytes(10 << 20), "image/jpeg", {}, 413, "at most 10 MB"),
    ],
)
def test_what_is_wrong_is_told_and_leaves_nothing(
    api: Api, stack: Stack, body: bytes, kind: str, fields: dict, status: int, detail: str
) -> None:
    originals = stack.home / "media" / "originals"
    before = set(originals.rglob("*"))
    reply = submit(api, body, kind, **fields)
    assert (reply.status_code, detail in reply.json()["detail"]) == (status, True), reply.text
    linked = [path for path in set(originals.rglob("*")) - before if path.read_bytes() == body]
    assert not linked


def test_limits_hold_here_too(api: Api) -> None:
    author = f"busy-{uuid4().hex}"
    found = [submit(api, unique(JPEG.name), user_id=author).status_code for _ in range(11)]
    assert max(found[:10]) < 300
    assert found[10] == 429


@pytest.mark.parametrize("name", ["X-Body-File", "x-body-file", "X_Body_File"])
def test_a_clients_own_word_for_the_file_is_nothing(
    api: Api, stack: Stack, new_client, name: str
) -> None:
    """nginx says which file it is: with a body its own, without one none."""
    secret = next((stack.home / "secrets").iterdir())
    key = new_client()
    path = f"{PATH}?user_id=thief"
    spoofed = ("Content-Type: image/jpeg", f"{name}: {secret}", f"{name}: {secret}")
    assert statuses(send(stack, post(key, b"", *spoofed, path=path))) == [400]
    picture = unique(JPEG.name)
    assert statuses(send(stack, post(key, picture, *spoofed, path=path)))[0] in (200, 202)
    [(job_id,)] = stack.sql(
        "SELECT id FROM submission WHERE user_id = 'thief' ORDER BY id DESC LIMIT 1"
    )
    assert stored(stack, job_id)[0].read_bytes() == picture


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """The application's part that takes a file over, as if nginx had said what the test says."""
    app = Flask("handed")
    app.request_class = UploadRequest
    use_settings(Settings.load({"SLUICE_HOME": str(tmp_path)}))
    (tmp_path / BODIES).mkdir(parents=True)
    (tmp_path / "secret").write_bytes(JPEG.read_bytes())
    (tmp_path / BODIES / "0000000001").write_bytes(JPEG.read_bytes())
    (tmp_path / BODIES / "0000000002").symlink_to(tmp_path / "secret")
    (tmp_path / BODIES / "0000000003").mkdir()
    os.mkfifo(tmp_path / BODIES / "0000000004")
    return app


@pytest.mark.parametrize(
    "told",
    [
        "{home}/secret",
        "{home}/{bodies}/../../../secret",
        "{home}/{bodies}/../body/0000000001",
        "{home}/{bodies}//0000000001",
        "{home}/{bodies}/",
        "{home}/{bodies}/0000000001/",
        "{bodies}/0000000001",
        "0000000001",
        "{home}/{bodies}/0000000002",
        "{home}/{bodies}/0000000003",
        "{home}/{bodies}/0000000004",
        "{home}/{bodies}/0000000009",
        "{home}/{bodies}/٠٠٠٠٠٠٠٠٠١",
    ],
)
def test_only_a_file_right_in_nginxs_folder_is_taken(app: Flask, tmp_path: Path, told: str) -> None:
    path = told.format(home=tmp_path, bodies=BODIES)
    headers = {"Content-Type": "image/jpeg", "X-Body-File": path.encode().decode("latin-1")}
    with app.test_request_context(PATH, method="POST", headers=headers), pytest.raises(Malformed):
        body_file.take()
    assert not [found for found in (tmp_path / "media").rglob("*") if not found.is_dir()]


def test_where_others_reach_the_application_the_body_itself_counts(tmp_path: Path) -> None:
    app = Flask("apart")
    app.request_class = UploadRequest
    home = {"SLUICE_HOME": str(tmp_path), "WEB_LISTEN": "0.0.0.0:8000"}
    use_settings(Settings.load(home))
    headers = {"Content-Type": "image/jpeg", "X-Body-File": str(tmp_path / BODIES / "0000000001")}
    sent = {"method": "POST", "headers": headers, "data": b"what is sent"}
    with app.test_request_context(PATH, **sent) as context:
        body_file.take()
        [upload] = context.request.__dict__["uploads"]
        upload.begin()
        assert upload.path.read_bytes() == b"what is sent"
        context.request.close()


def test_nginxs_own_file_is_taken(app: Flask, tmp_path: Path) -> None:
    headers = {"Content-Type": "image/jpeg", "X-Body-File": f"{tmp_path}/{BODIES}/0000000001"}
    with app.test_request_context(PATH, method="POST", headers=headers) as context:
        body_file.take()
        [upload] = context.request.__dict__["uploads"]
        upload.begin()
        assert upload.sha256 == hashlib.sha256(JPEG.read_bytes()).digest()
        assert upload.path.read_bytes() == JPEG.read_bytes()
        context.request.close()
    assert not upload.path.exists()
    assert (tmp_path / BODIES / "0000000001").exists()
