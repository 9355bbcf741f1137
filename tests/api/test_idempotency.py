"""An Idempotency-Key makes one submission, however often and at once it is sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from tests.support.api import Api, eventually, unique


def test_a_repeat_gets_the_first_one(api: Api) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    picture = unique("safe_rocket.jpg")
    first = api.submit(picture, user_id="a", title="x", headers=headers)
    again = api.submit(picture, user_id="a", title="x", headers=headers)
    assert first.json()["job_id"] == again.json()["job_id"]
    assert again.status_code == 200


def test_other_content_is_a_conflict(api: Api) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    api.submit(unique("safe_rocket.jpg"), user_id="a", title="x", headers=headers)
    reply = api.submit(unique("safe_rocket.jpg"), user_id="a", title="x", headers=headers)
    assert reply.status_code == 409
    assert reply.json()["field"] == "Idempotency-Key"


def test_two_clients_may_use_the_same_key(api: Api, new_client, stack) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    mine = api.submit(title="mine", headers=headers)
    theirs = Api(stack.url, new_client()).submit(title="theirs", headers=headers)
    assert mine.json()["job_id"] != theirs.json()["job_id"]


def test_twenty_at_once_make_one_submission(api: Api, stack) -> None:
    key, picture = uuid4().hex, unique("safe_rocket.jpg")

    def send(_: int) -> str:
        one = Api(stack.url, api.http.headers["Authorization"].split()[1])
        reply = one.submit(picture, user_id="many", title="x", headers={"Idempotency-Key": key})
        assert reply.status_code in (200, 202), reply.text
        return reply.json()["job_id"]

    with ThreadPoolExecutor(20) as pool:
        jobs = set(pool.map(send, range(20)))
    assert len(jobs) == 1
    rows = stack.sql("SELECT id FROM submission WHERE idempotency_key = %s", f"client:{key}")
    assert rows == [(jobs.pop(),)]
    originals = stack.home / "media" / "originals"
    kept = stack.sql("SELECT storage_key FROM image WHERE submission_id = %s", rows[0][0])
    ours = [(name,) for name in eventually(lambda: alone(originals, picture))]
    assert ours == kept


def alone(originals: Path, picture: bytes) -> list[str]:
    """The key of the one file with these bytes; empty while there are several."""
    same = [
        path
        for path in originals.glob("*/*")
        if path.stat().st_size == len(picture) and path.read_bytes() == picture
    ]
    return [str(path.relative_to(originals)) for path in same] if len(same) == 1 else []


def test_repeats_at_once_are_charged_to_the_limits_once(api: Api, stack) -> None:
    """More of them than an author may send in a minute; then the author has all but one left."""
    user = f"once-{uuid4().hex[:8]}"
    headers = {"Idempotency-Key": uuid4().hex}

    def send(_: int) -> int:
        one = Api(stack.url, api.http.headers["Authorization"].split()[1])
        return one.submit(title="Chairs", user_id=user, headers=headers).status_code

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(send, range(20))) <= {200, 202}
    codes = [api.submit(title="Chairs", user_id=user).status_code for _ in range(10)]
    assert codes[-1] == 429
    assert set(codes[:-1]) <= {200, 202}


def test_a_bad_key_is_refused(api: Api) -> None:
    reply = api.submit(title="x", headers={"Idempotency-Key": "x" * 256})
    assert (reply.status_code, reply.json()["field"]) == (422, "Idempotency-Key")
