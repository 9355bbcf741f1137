"""Media in a bucket: SeaweedFS, a real store that speaks S3, checks every signature."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import minio
import pytest
import requests

from models.errors import SettingError
from models.settings import Settings
from tasks import storage
from tests.support.api import Api, content, eventually, unique
from tests.support.console import Console, person
from tests.support.servers import Server, s3
from tests.support.stack import Stack, running

ACCESS, KEY = "tests", uuid4().hex
NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
FLAG = "review_b.jpg"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with s3(tmp_path_factory.mktemp("s3") / "weed", ACCESS, KEY) as server:
        bucket = client(server)
        eventually(lambda: made(bucket))
        yield server


def client(store: Server) -> minio.Minio:
    return minio.Minio(f"127.0.0.1:{store.port}", ACCESS, KEY, secure=False, region="us-east-1")


def made(bucket: minio.Minio) -> bool:
    """Whether the bucket is there and takes a file: its volumes come a moment after its port."""
    try:
        if not bucket.bucket_exists("media"):
            bucket.make_bucket("media")
        bucket.fput_object("media", "probe", __file__)
        bucket.remove_object("media", "probe")
    except minio.error.MinioException:
        return False
    return True


@pytest.fixture(scope="module")
def url(store: Server) -> str:
    return f"s3://media/sluice?endpoint=http://127.0.0.1:{store.port}"


@pytest.fixture(scope="module")
def own(url: str) -> Iterator[Stack]:
    keys = dict(zip(NAMES, (ACCESS, KEY), strict=True))
    with running(STORAGE_URL=url, **keys) as stack:
        yield stack


@pytest.fixture(scope="module")
def api(own: Stack) -> Api:
    return Api(own.url, own.json("client", "create", "Shop", "--json")["key"])


@pytest.fixture(scope="module")
def ada(own: Stack) -> Console:
    return person(own, "administrator")


def names(store: Server) -> set[str]:
    found = client(store).list_objects("media", prefix="sluice/", recursive=True)
    return {item.object_name.removeprefix("sluice/") for item in found}


def left_here(own: Stack) -> list[Path]:
    return [path for path in (own.home / "media").rglob("*") if path.is_file()]


def key_of(own: Stack, job_id: str) -> str:
    return own.sql("SELECT storage_key FROM image WHERE submission_id = %s", job_id)[0][0]


def test_a_picture_is_in_the_bucket_and_nowhere_else(own: Stack, api: Api, store: Server) -> None:
    picture = unique(FLAG)
    told = api.decided(picture)
    assert told["verdict"] == "review"
    key = key_of(own, told["job_id"])
    assert names(store) == {f"originals/{key}", f"thumbs/{key}.webp"}
    reply = client(store).get_object("media", f"sluice/originals/{key}")
    assert reply.read() == picture
    assert reply.headers["Content-Type"] == "image/jpeg"
    reply.release_conn()
    assert left_here(own) == []


def test_the_console_shows_it_and_ranges_hold(own: Stack, api: Api, ada: Console) -> None:
    picture = unique(FLAG)
    job_id = api.decided(picture)["job_id"]
    page = ada.get(f"/submissions/{job_id}").text
    base = re.search(r"/console(/media/[0-9a-f-]+)/thumbnail", page)[1]
    drawn = ada.get(f"{base}/thumbnail")
    assert drawn.content[8:12] == b"WEBP"
    assert drawn.headers["Cache-Control"] == "private, max-age=3600"
    whole = ada.get(f"{base}/original")
    assert whole.content == picture
    assert whole.headers["Cache-Control"] == "no-store"
    assert whole.headers["Content-Disposition"].startswith("attachment")
    part = ada.get(f"{base}/original", headers={"Range": "bytes=10-99"})
    assert (part.status_code, part.content) == (206, picture[10:100])
    assert part.headers["Content-Range"] == f"bytes 10-99/{len(picture)}"
    assert Console(own.url).get(f"{base}/original", allow_redirects=False).status_code == 302


def test_a_refused_upload_and_a_detection_leave_nothing(
    own: Stack, api: Api, store: Server
) -> None:
    before = names(store)
    assert api.submit(content(FLAG), b"no picture").status_code == 415
    files = [("images", ("a.jpg", content(FLAG), "image/jpeg"))]
    reply = api.http.post(f"{api.base}/detect", files=files)
    assert reply.status_code == 200, reply.text
    assert reply.json()[0]["score"] > 0
    assert names(store) == before
    assert left_here(own) == []


def test_erasure_reaches_the_bucket(own: Stack, api: Api, store: Server) -> None:
    job_id = api.decided(unique(FLAG))["job_id"]
    key = key_of(own, job_id)
    assert any(key in name for name in names(store))
    assert api.http.delete(f"{api.base}/submissions/{job_id}").status_code == 204
    assert not any(key in name for name in names(store))


def test_a_backup_says_that_it_has_no_media(own: Stack) -> None:
    done = own.run("backup", str(own.folder))
    assert "without the media: they are in a bucket" in done.stderr


def test_nobody_is_shown_the_key(own: Stack, ada: Console) -> None:
    page = ada.get("/settings/").text
    assert "s3://media/sluice" in page
    assert KEY not in page
    assert KEY not in own.logs(10_000)


def test_the_bucket_away_and_back(own: Stack, api: Api, store: Server) -> None:
    worker = own.pids()["worker_00"]
    os.kill(worker, signal.SIGSTOP)
    waiting = api.submit(unique("safe_astronaut.jpg"))
    assert waiting.status_code == 202
    store.kill()
    os.kill(worker, signal.SIGCONT)
    refused = api.submit(unique("safe_astronaut.jpg"))
    assert refused.status_code == 503, refused.text
    assert int(refused.headers["Retry-After"]) > 0
    assert "storage" in refused.json()["detail"]
    assert api.decided(title="a text needs no bucket")["verdict"] == "approved"
    job_id = waiting.json()["job_id"]
    row = "SELECT attempts, error FROM submission WHERE id = %s"
    eventually(lambda: "StorageDown" in str(own.sql(row, job_id)))
    parts = {
        part["name"]: part["state"] for part in requests.get(f"{own.url}/readyz").json()["parts"]
    }
    assert parts["Storage"] == "down"
    store.start()
    eventually(lambda: made(client(store)), 60)
    decided = eventually(lambda: (it := api.status(job_id, 5))["status"] == "decided" and it, 60)
    assert decided["verdict"] == "approved"
    assert api.decided(unique("safe_astronaut.jpg"))["verdict"] == "approved"
    assert left_here(own) == []


def write_env(home: Path, *pair: str) -> None:
    lines = [f"{name}={value}\n" for name, value in zip(NAMES, pair, strict=False)]
    (home / "sluice.env").write_text("".join(lines))


def test_files_that_nobody_owns_are_found(store: Server, url: str, tmp_path: Path) -> None:
    write_env(tmp_path, ACCESS, KEY)
    place = storage.of(Settings.load({"SLUICE_HOME": str(tmp_path), "STORAGE_URL": url}))
    place.write("originals/2020-01-01/lost", b"x")
    assert "2020-01-01/lost" in list(place.originals_older_than(-60))
    assert "2020-01-01/lost" not in list(place.originals_older_than(3600))
    place.remove("2020-01-01/lost")
    assert "2020-01-01/lost" not in list(place.originals_older_than(-60))
    with pytest.raises(FileNotFoundError):
        place.open("originals/2020-01-01/lost")


@pytest.mark.parametrize(
    ("bucket", "pair", "words"),
    [
        ("media", (), "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("media", (ACCESS, "wrong"), "bucket media: The storage refuses"),
        ("other", (ACCESS, KEY), "there is no bucket other"),
    ],
)
def test_up_says_what_is_wrong(
    store: Server, tmp_path: Path, bucket: str, pair: tuple[str, ...], words: str
) -> None:
    url = f"s3://{bucket}?endpoint=http://127.0.0.1:{store.port}"
    write_env(tmp_path, *pair)
    settings = Settings.load({"SLUICE_HOME": str(tmp_path), "STORAGE_URL": url})
    with pytest.raises(SettingError, match=words):
        storage.of(settings).check()
