"""Authors: their record and strikes, and what suspension and premium do to their uploads."""

from __future__ import annotations

import re
import time
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.api import Api
from tests.support.console import Console, person
from tests.support.stack import Stack


@pytest.fixture
def mine(stack: Stack, new_client) -> tuple[Api, int]:
    """The API of a client of the test's own, and the client's number."""
    name = f"authors-{uuid4().hex[:8]}"
    key = new_client(name)
    ((number,),) = stack.sql("SELECT id FROM client WHERE name = %s", name)
    return Api(stack.url, key), number


def stand(console: Console, client: int, user: str, act: str, **more: str) -> int:
    path = f"/authors/{client}/standing"
    return console.post(path, form="/", user_id=user, act=act, follow=False, **more).status_code


def seen_by_all() -> None:
    """Every web process asks for what has changed after a second."""
    time.sleep(1.1)


def files(stack: Stack) -> list[Path]:
    return sorted(path for path in (stack.home / "media").rglob("*") if path.is_file())


def strikes(stack: Stack, client: int, user: str) -> int:
    rows = stack.sql(
        "SELECT strikes FROM author WHERE client_id = %s AND user_id = %s", client, user
    )
    return rows[0][0] if rows else 0


def version(stack: Stack, job_id: str) -> str:
    return str(stack.sql("SELECT version FROM submission WHERE id = %s", job_id)[0][0])


def test_a_suspended_author_is_refused_until_taken_back(stack, mine):
    api, client = mine
    console = person(stack)
    api.decided(title="Before", user_id="mallory")
    assert stand(console, client, "mallory", "suspend", reason="third scam") == 303
    seen_by_all()
    for _ in range(4):
        assert api.submit(title="After", user_id="mallory").status_code == 403
    problem = api.submit(title="After", user_id="mallory").json()
    assert problem["type"] == "urn:sluice:forbidden"
    assert problem["field"] == "user_id"
    assert "mallory" in problem["detail"]
    assert api.submit(title="Somebody else", user_id="mall").status_code in (200, 202)
    assert stand(console, client, "mallory", "unsuspend") == 303
    seen_by_all()
    assert api.submit(title="Again", user_id="mallory").status_code in (200, 202)


def test_nothing_of_a_refused_upload_is_kept(stack, mine):
    api, client = mine
    stand(person(stack), client, "eve", "suspend")
    seen_by_all()
    before = files(stack)
    assert api.submit("safe_astronaut.jpg", user_id="eve").status_code == 403
    assert files(stack) == before


def test_a_premium_author_goes_first(stack, mine):
    api, client = mine
    assert stand(person(stack, "administrator"), client, "vip", "make_premium") == 303
    seen_by_all()
    sql = "SELECT priority FROM submission WHERE id = %s"
    for user, priority in (("vip", "priority"), ("other", "normal")):
        told = api.decided(title="Quick", user_id=user)
        assert stack.sql(sql, told["job_id"]) == [(priority,)]


def test_a_repeat_of_a_premium_upload_is_the_same_upload(stack, mine):
    api, client = mine
    stand(person(stack, "administrator"), client, "vip", "make_premium")
    seen_by_all()
    headers = {"Idempotency-Key": uuid4().hex}
    first = api.submit(title="Once", user_id="vip", headers=headers).json()
    again = api.submit(title="Once", user_id="vip", headers=headers)
    assert again.status_code in (200, 202)
    assert again.json()["job_id"] == first["job_id"]


def test_roles(stack, mine):
    _, client = mine
    viewer, moderator = person(stack, "viewer"), person(stack)
    assert stand(viewer, client, "x", "suspend") == 403
    assert stand(moderator, client, "x", "make_premium") == 403
    assert stand(moderator, client, "x", "suspend") == 303
    assert stand(moderator, client, "x", "suspend") == 409
    assert stand(moderator, client, "x", "promote") == 422
    assert stand(moderator, 2**40, "x", "suspend") == 404
    assert moderator.http.post(f"{moderator.url}/authors/{client}/standing").status_code == 400


def test_each_act_is_written_down_and_shown(stack, mine):
    api, client = mine
    api.decided(title="One", user_id="ann")
    console = person(stack, name=f"judge-{uuid4().hex[:6]}")
    stand(console, client, "ann", "suspend", reason="<i>rude</i>")
    acts = stack.sql(
        "SELECT action, details->>'reason' FROM audit WHERE subject = %s", f"author {client}/ann"
    )
    assert acts == [("author.suspend", "<i>rude</i>")]
    page = console.get(f"/authors/{client}/ann").text
    assert "&lt;i&gt;rude" in page
    assert "End suspension" in page


def test_undo_takes_a_strike_back_once(stack, mine):
    api, client = mine
    console = person(stack)
    told = api.decided(title="A harmless chair", user_id="bob")
    assert told["verdict"] == "approved"
    assert strikes(stack, client, "bob") == 0
    job = told["job_id"]
    reply = console.decide(job, version(stack, job), "rejected:scam")
    assert reply.status_code == 200, reply.text
    assert strikes(stack, client, "bob") == 1
    page = console.get(f"/authors/{client}/bob").text
    assert "+1" in page
    for status in (200, 404):
        assert console.post("/reviews/undo", form="/", decision="").status_code == status
        assert strikes(stack, client, "bob") == 0
    assert "−1" in console.get(f"/authors/{client}/bob").text


def test_authors_are_listed_by_the_beginning_of_their_name(stack, mine):
    api, client = mine
    for user in ("anna", "annabel", "bert", "Anna"):
        api.decided(title="Something", user_id=user)
    console = person(stack)
    text = console.get(f"/authors?client={client}&author=ann").text
    assert ">anna<" in text
    assert ">annabel<" in text
    assert ">bert<" not in text
    assert ">Anna<" not in text
    latest = console.get(f"/authors?client={client}").text
    assert latest.index(">Anna<") < latest.index(">bert<") < latest.index(">anna<")


def test_lists_go_on_over_pages(stack, mine):
    _, client = mine
    stack.sql(
        "INSERT INTO submission (id, client_id, user_id, title, priority, mode, status, visible,"
        " idempotency_key, fingerprint) SELECT uuidv7(), %s, 'p' || lpad(n::text, 3, '0'),"
        " 'x', 'normal', 'sync', 'received', false, 'page:' || n, ''"
        " FROM generate_series(1, 120) n",
        client,
    )
    console = person(stack)
    for query in (f"client={client}", f"client={client}&author=p"):
        seen, path = [], f"/authors?{query}"
        for _ in range(4):
            text = console.get(path).text
            seen += [part.split("<")[0] for part in text.split('dir="auto">p')[1:]]
            more = text.partition('class="people-more"')[2].partition('href="')[2]
            if not more:
                break
            path = more.partition('"')[0].replace("&amp;", "&").removeprefix("/console")
        assert len(seen) == len(set(seen)) == 120


@pytest.mark.parametrize("user", ["a/b", "..", "a//b", "/x", "x\\y", "?q=1#f", "100%", "🦜", "عمر"])
def test_any_user_id_has_its_page(stack, mine, user):
    api, client = mine
    api.decided(title="Odd", user_id=user)
    console = person(stack)
    text = console.get(f"/authors?client={client}").text
    path = text.partition('class="author-cell"')[2].partition('href="')[2].partition('"')[0]
    reply = console.get(path.replace("&amp;", "&").removeprefix("/console"))
    assert reply.status_code == 200
    assert "Recent submissions" in reply.text


def test_there_is_no_page_of_an_author_who_never_was(stack, mine):
    _, client = mine
    console = person(stack)
    assert console.get(f"/authors/{client}/nobody").status_code == 404
    assert console.get("/authors/99999999999/nobody").status_code == 404
    assert console.get("/authors/999999999999999999999999/nobody").status_code == 404


@pytest.mark.parametrize("path", ["/authors", "/statistics/", "/statistics/export.csv"])
@pytest.mark.parametrize("other", ["abc", "²", "-1", " 7", "0", "9" * 30])
def test_what_is_no_client_is_never_all_clients(stack, path, other):
    reply = person(stack).get(path, params={"client": other})
    assert reply.status_code == 404
    assert re.search(r"no such client|client does not exist", reply.text)


@pytest.mark.parametrize("number", ["²", "١", "9" * 30])
def test_what_is_no_id_is_ignored_or_refused(stack, number):
    admin = person(stack, "administrator")
    for path in (
        f"/authors?kind=strikes&after={number}:{number}",
        f"/authors?author=a&after={number}:a",
        f"/rules?after={number}",
        f"/rules?removed={number}",
        f"/rules?switched={number}&to=on",
        f"/rules?imported={number},{number}",
        f"/known-images?after={number}",
        f"/known-images?made={number}",
        f"/audit?before={number}",
        f"/alerts/?before={number}",
    ):
        assert admin.get(path).status_code == 200, path
    assert admin.get(f"/submissions?client={number}").status_code == 422
    rows = (("/rules/switch", {"rule": number}), ("/rules/1/version", {"version": number + "-x"}))
    for path, fields in rows:
        assert admin.post(path, form="/rules", **fields).status_code in (404, 422), path
    assert admin.post("/rules/try", form="/rules", id=number).status_code == 200
