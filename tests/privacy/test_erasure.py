"""Erasing: a submission or an author goes at once, on the disk too, and the stub stays."""

from __future__ import annotations

import io
import json
import signal
import threading
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from uuid import uuid4

import pytest

from tests.support.api import Api, eventually, unique
from tests.support.console import Console, person
from tests.support.stack import Stack, running
from tests.support.stored import files, row_of

TEXT = "A sentence that nobody else writes"


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack whose worker may be stopped, which no upload of a picture waits for."""
    with running(MODERATION_IMAGE_ASYNC="on") as stack:
        yield stack


@pytest.fixture(scope="module")
def shop(own: Stack) -> Api:
    return Api(own.url, own.json("client", "create", "Shop", "--json")["key"])


def erase(api: Api, path: str) -> int:
    return api.http.delete(f"{api.base}/{path}").status_code


def everything(stack: Stack, *but: str) -> str:
    """Every table's rows as text, the rules aside."""
    names = stack.sql(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
        " AND relnamespace = 'public'::regnamespace AND relname NOT IN ('rule', 'known_hash')"
    )
    tables = [name for (name,) in names if name not in but]
    return "\n".join(
        row for name in tables for (row,) in stack.sql(f"SELECT t::text FROM {name} t")
    )


def test_a_submission_is_gone_and_its_stub_stays(own: Stack, shop: Api) -> None:
    before, name = files(own), f"anna-{uuid4().hex}"
    told = shop.decided(
        unique("reject_a.jpg"),
        user_id=name,
        title=TEXT,
        description="viagra for sale",
        external_id="ext-4711",
        user_ip="203.0.113.77",
    )
    assert told["verdict"] == "rejected"
    assert len(files(own) - before) >= 1
    assert erase(shop, f"submissions/{told['job_id']}") == 204
    assert files(own) == before
    row = row_of(own, told["job_id"])
    assert (row["title"], row["description"], row["external_id"], row["ip_hash"]) == (
        "",
        "",
        None,
        None,
    )
    assert (row["verdict"], row["visible"], row["status"]) == ("rejected", False, "decided")
    held = everything(own, "author")
    for word in (name, TEXT, "viagra", "ext-4711", "203.0.113.77"):
        assert word not in held, word
    assert own.sql("SELECT to_verdict FROM decision WHERE submission_id = %s", told["job_id"])
    acts = own.sql("SELECT action, details FROM audit WHERE subject = %s", told["job_id"])
    assert acts == [("submission.erase", {"client": "Shop", "reason": ""})]
    assert shop.http.get(f"{shop.base}/status/{told['job_id']}").status_code == 404


def test_asking_again_changes_nothing(own: Stack, shop: Api) -> None:
    job_id = shop.decided(title="Garden chairs")["job_id"]
    assert [erase(shop, f"submissions/{job_id}") for _ in range(2)] == [204, 204]
    rows = own.sql("SELECT count(*) FROM audit WHERE subject = %s", job_id)
    assert rows == [(1,)]


def test_another_clients_are_404(own: Stack, shop: Api) -> None:
    other = Api(own.url, own.json("client", "create", "Other shop", "--json")["key"])
    name = f"bob-{uuid4().hex}"
    job_id = shop.decided(title="Garden chairs", user_id=name)["job_id"]
    for path in (f"submissions/{job_id}", f"authors/{name}", "submissions/x", f"authors/{uuid4()}"):
        reply = other.http.delete(f"{other.base}/{path}")
        assert (reply.status_code, reply.json()["type"]) == (404, "urn:sluice:not_found"), path
    assert other.http.get(f"{other.base}/authors/{name}/export").status_code == 404
    assert shop.status(job_id)["verdict"] == "approved"
    assert row_of(own, job_id)["title"] == "Garden chairs"


def test_no_key_erases_nothing(own: Stack, shop: Api) -> None:
    job_id = shop.decided(title="Garden chairs")["job_id"]
    reply = Api(own.url, "sk_wrong").http.delete(f"{shop.base}/submissions/{job_id}")
    assert reply.status_code == 401
    assert row_of(own, job_id)["title"] == "Garden chairs"


def test_identical_bytes_of_another_submission_stay(own: Stack, shop: Api) -> None:
    picture = unique("safe_rocket.jpg")
    first, second = (shop.decided(picture)["job_id"] for _ in range(2))
    [(key,)] = own.sql("SELECT storage_key FROM image WHERE submission_id = %s", second)
    assert erase(shop, f"submissions/{first}") == 204
    assert (own.home / "media" / "originals" / key).read_bytes() == picture


def test_an_author_is_gone_from_every_table(own: Stack, shop: Api) -> None:
    before, name = files(own), f"clara/{uuid4().hex}"
    jobs = [shop.decided(unique("reject_a.jpg"), user_id=name, title=TEXT) for _ in range(3)]
    kept = shop.decided(title="Somebody else's", user_id=f"{name}-not")["job_id"]
    assert own.sql("SELECT strikes FROM author WHERE user_id = %s", name) == [(3,)]
    assert [erase(shop, f"authors/{name}") for _ in range(2)] == [204, 204]
    assert files(own) == before
    held = everything(own)
    assert name not in held.replace(f"{name}-not", "") and TEXT not in held
    assert row_of(own, kept)["title"] == "Somebody else's"
    names = {row_of(own, job["job_id"])["user_id"] for job in jobs}
    assert len(names) == 1 and names.pop().startswith("erased-")
    [(asked,)] = own.sql("SELECT to_jsonb(e) FROM erasure e ORDER BY id DESC LIMIT 1")
    assert (asked["submissions"], asked["user_id"]) == (3, None)
    assert shop.decided(title="They are back", user_id=name)["verdict"] == "approved"


def test_erased_while_it_waits_in_the_queue(own: Stack, shop: Api) -> None:
    own.kill("worker_00", signal.SIGSTOP)
    try:
        job_id = shop.submit(unique("reject_a.jpg"), title=TEXT).json()["job_id"]
        assert erase(shop, f"submissions/{job_id}") == 204
    finally:
        own.kill("worker_00", signal.SIGCONT)
    assert shop.decided(unique("safe_rocket.jpg"))["verdict"] == "approved"
    row = row_of(own, job_id)
    assert (row["status"], row["verdict"], row["visible"]) == ("decided", "rejected", False)
    reasons = own.sql("SELECT reason FROM decision WHERE submission_id = %s", job_id)
    assert reasons == [("erased",)]
    assert own.sql("SELECT count(*) FROM image WHERE submission_id = %s", job_id) == [(0,)]


def test_erased_while_a_worker_has_it(own: Stack, shop: Api) -> None:
    """Whenever it strikes, the worker writes nothing of it and goes on without an error."""
    for turn in range(14):
        job_id = shop.submit(unique("reject_b_13mp.jpg")).json()["job_id"]
        if turn < 10:
            time.sleep(turn * 0.015)
        else:
            eventually(partial(_is_taken, own, job_id))
        assert erase(shop, f"submissions/{job_id}") == 204
        row = row_of(own, job_id)
        assert row["erased_at"] and row["lease_by"] is None
    assert shop.decided(unique("safe_rocket.jpg"))["verdict"] == "approved"
    for table in ("finding", "image"):
        left = own.sql(
            f"SELECT count(*) FROM {table} JOIN submission s ON s.id = submission_id"
            " WHERE s.erased_at IS NOT NULL"
        )
        assert left == [(0,)], table
    verdicts = own.sql(
        "SELECT DISTINCT verdict, visible FROM submission WHERE erased_at IS NOT NULL"
    )
    assert ("rejected", False) in verdicts and {visible for _, visible in verdicts} == {False}
    assert "Traceback" not in (own.home / "log" / "worker_00.log").read_text()


def _is_taken(stack: Stack, job_id: str) -> bool:
    return row_of(stack, job_id)["status"] in ("processing", "decided")


def test_what_a_worker_drew_too_late_goes_too(own: Stack, shop: Api) -> None:
    job_id = shop.decided(unique("safe_rocket.jpg"))["job_id"]
    [(key,)] = own.sql("SELECT storage_key FROM image WHERE submission_id = %s", job_id)
    assert erase(shop, f"submissions/{job_id}") == 204
    late = own.home / "media" / "thumbs" / f"{key}.webp"
    late.parent.mkdir(parents=True, exist_ok=True)
    late.write_bytes(b"drawn by a worker that was slow")
    assert own.sql("SELECT passes FROM removal WHERE storage_key = %s", key) == [(1,)]
    own.sql("UPDATE removal SET due_at = now() WHERE storage_key = %s", key)
    eventually(lambda: not late.exists())
    eventually(lambda: not own.sql("SELECT 1 FROM removal WHERE storage_key = %s", key))


def test_an_erasure_that_was_cut_short_is_finished(own: Stack, shop: Api) -> None:
    name = f"dora-{uuid4().hex}"
    job_id = shop.decided(unique("safe_rocket.jpg"), user_id=name)["job_id"]
    own.sql(
        "INSERT INTO erasure (client_id, author, user_id, alias, asked_at)"
        " SELECT client_id, 'x', user_id, 'erased-cut', now() FROM submission WHERE id = %s",
        job_id,
    )
    own.sql("UPDATE erasure SET asked_at = now() - interval '2 minutes' WHERE alias = 'erased-cut'")
    own.sql("UPDATE submission SET created_at = now() - interval '3 minutes' WHERE id = %s", job_id)
    eventually(lambda: row_of(own, job_id)["user_id"] == "erased-cut")
    eventually(
        lambda: own.sql(
            "SELECT 1 FROM erasure WHERE alias = 'erased-cut'"
            " AND finished_at IS NOT NULL AND user_id IS NULL"
        )
    )


def test_the_standby_purges_what_is_past_its_days(own: Stack, shop: Api) -> None:
    job_id = shop.decided(unique("safe_rocket.jpg"), title=TEXT)["job_id"]
    own.sql("UPDATE submission SET created_at = now() - interval '31 days' WHERE id = %s", job_id)
    own.kill("standby", signal.SIGTERM)  # it begins anew, and looks soon after
    eventually(lambda: row_of(own, job_id)["purged_at"])
    assert shop.status(job_id)["verdict"] == "approved"


def test_owed_events_are_cancelled(own: Stack) -> None:
    """A webhook that nobody answers: its call is owed until the submission is erased."""
    told = own.json("client", "create", "Hooked", "--webhook", "http://127.0.0.1:9/hook", "--json")
    hooked = Api(own.url, told["key"])
    job_id = hooked.decided(title="Garden chairs", user_id="emil", external_id="e-1")["job_id"]
    assert erase(hooked, f"submissions/{job_id}") == 204
    [(state, payload)] = own.sql(
        "SELECT state, payload FROM delivery WHERE submission_id = %s", job_id
    )
    assert state in ("cancelled", "dead")
    assert set(payload["data"]) == {"job_id", "verdict", "visible"}


def test_all_that_is_held_about_an_author_can_be_had(own: Stack, shop: Api) -> None:
    name, picture = f"fritz-{uuid4().hex}", unique("reject_a.jpg")
    jobs = [
        shop.decided(picture, user_id=name, title=TEXT, external_id="e-7")["job_id"],
        shop.decided(user_id=name, title="A chair")["job_id"],
    ]
    reply = shop.http.get(f"{shop.base}/authors/{name}/export")
    assert "attachment" in reply.headers["Content-Disposition"]
    told = reply.json()
    assert [one["job_id"] for one in told["submissions"]] == jobs
    first = told["submissions"][0]
    assert (first["title"], first["external_id"]) == (TEXT, "e-7")
    assert first["findings"] and first["decisions"] and len(first["images"]) == 1
    assert told["author"]["strikes"] == 1
    reply = shop.http.get(f"{shop.base}/authors/{name}/export", params={"format": "zip"})
    made = zipfile.ZipFile(io.BytesIO(reply.content))
    assert made.testzip() is None
    assert json.loads(made.read("author.json"))["submissions"][0]["job_id"] == jobs[0]
    assert made.read(first["images"][0]["file"]) == picture
    wrong = shop.http.get(f"{shop.base}/authors/{name}/export", params={"format": "pdf"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "format")


def test_an_administrator_erases_with_a_reason(own: Stack, shop: Api) -> None:
    name = f"gerd-{uuid4().hex}"
    first, second = (shop.decided(title=TEXT, user_id=name)["job_id"] for _ in range(2))
    [(client,)] = own.sql("SELECT client_id FROM submission WHERE id = %s", first)
    admin = person(own, "administrator")
    page = f"/submissions/{first}"
    assert "Erase" in admin.get(page).text
    reply = admin.post(f"{page}/erasure", form=page, reason="", confirm="on")
    assert (reply.status_code, row_of(own, first)["title"]) == (422, TEXT)
    reply = admin.post(f"{page}/erasure", form=page, reason="asked by mail", confirm="on")
    assert reply.status_code == 200 and "no longer kept" in reply.text
    [(reason,)] = own.sql(
        "SELECT details->>'reason' FROM audit WHERE action = 'submission.erase' AND subject = %s",
        first,
    )
    assert reason == "asked by mail"
    path = f"/authors/{client}/{name}"
    reply = admin.get(f"/authors/{client}/export?user_id={name}")
    assert reply.json()["submissions"][0]["job_id"] == second
    reply = admin.post(
        f"/authors/{client}/erasure", form=path, user_id=name, reason="and the rest", confirm="on"
    )
    assert reply.status_code == 200
    assert row_of(own, second)["title"] == ""
    assert admin.get(path).status_code == 404


@pytest.mark.parametrize("role", ["viewer", "moderator"])
def test_others_erase_and_export_nothing(own: Stack, shop: Api, role: str) -> None:
    name = f"hans-{uuid4().hex}"
    job_id = shop.decided(title=TEXT, user_id=name)["job_id"]
    [(client,)] = own.sql("SELECT client_id FROM submission WHERE id = %s", job_id)
    other: Console = person(own, role)
    for path in (f"/submissions/{job_id}/erasure", f"/authors/{client}/erasure"):
        reply = other.post(path, form="/", user_id=name, reason="no", confirm="on")
        assert reply.status_code == 403, path
    assert other.get(f"/authors/{client}/export?user_id={name}").status_code == 403
    assert row_of(own, job_id)["title"] == TEXT


def test_nothing_can_be_decided_any_more(own: Stack, shop: Api) -> None:
    job_id = shop.decided(unique("review_a.jpg"))["job_id"]
    moderator = person(own)
    [version] = [version for held, version in moderator.deck() if held == job_id]
    assert erase(shop, f"submissions/{job_id}") == 204
    reply = moderator.decide(job_id, version, "approved")
    assert reply.status_code == 409 and "no longer kept" in reply.text


def test_many_who_ask_at_once_erase_once(own: Stack, shop: Api) -> None:
    name = f"ida-{uuid4().hex}"
    for _ in range(3):
        shop.decided(title=TEXT, user_id=name)
    codes: list[int] = []
    key = shop.http.headers["Authorization"].split()[1]
    threads = [
        threading.Thread(
            target=lambda: codes.append(erase(Api(own.url, str(key)), f"authors/{name}"))
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [204] * 6
    assert name not in everything(own)
