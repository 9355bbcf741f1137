"""Search: every filter, every page, in any combination; the export; what is refused."""

from __future__ import annotations

import csv
import io
import re
from itertools import combinations
from uuid import uuid4

import pytest

from tests.support.api import Api
from tests.support.console import FRAGMENT, Console, person
from tests.support.stack import Stack

ROWS = 600
# Written straight into the tables, for a client of the test's own: states that uploads reach only
# in rare cases, and enough of them for several pages. No worker may claim what was tried so often.
FILL = """
INSERT INTO submission (id, client_id, user_id, title, description, priority, mode, status,
    verdict, visible, review_owed, score, idempotency_key, fingerprint, created_at,
    attempts, lease_until)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || substr(md5(%s || n), 1, 3) || 'a' || substr(md5(%s || n), 4, 15))::uuid,
    %s, 'user-' || n %% 7, CASE WHEN n %% 2 = 0 THEN 'Bicycle' ELSE 'Chair' END || ' lot ' || n,
    CASE WHEN n %% 50 = 0 THEN 'A zeppelin, 🎈 included' ELSE '' END,
    'normal', (ARRAY['sync', 'async', 'fast_track', 'direct'])[1 + n %% 4],
    CASE WHEN n %% 5 = 0 THEN 'queued' WHEN n %% 15 = 1 THEN 'quarantined' ELSE 'decided' END,
    CASE WHEN n %% 5 = 0 THEN NULL WHEN n %% 15 = 1 THEN 'review'
         WHEN n %% 3 = 0 THEN 'rejected' ELSE 'approved' END,
    false, n %% 11 = 0, CASE WHEN n %% 3 > 0 THEN (n %% 100) / 100.0 END, 'test:' || n, '', at,
    100, now() + interval '1 day'
FROM (SELECT n, now() - n * interval '1 hour' - interval '5 minutes' AS at
      FROM generate_series(1, %s) n) made
"""
FINDINGS = """
INSERT INTO finding (submission_id, "check", label, action, score)
SELECT id, 'classifier', 'nudity', CASE WHEN score > 0.3 THEN 'review' ELSE 'note' END, score
FROM submission WHERE client_id = %s AND score IS NOT NULL
"""
IMAGES = """
INSERT INTO image (id, submission_id, position, storage_key, media_type, bytes, sha256)
SELECT gen_random_uuid(), id, 0, 'none', 'image/jpeg', 1, '' FROM submission
WHERE client_id = %s AND idempotency_key ~ '[02468]$'
"""
HAS_IMAGE = "EXISTS (SELECT FROM image i WHERE i.submission_id = s.id)"
FOUND = "EXISTS (SELECT FROM finding f WHERE f.submission_id = s.id AND f.action <> 'note')"
FILTERS = {
    "author=user-3": "user_id = 'user-3'",
    "verdict=rejected": "verdict = 'rejected'",
    "status=quarantined": "status = 'quarantined'",
    "status=queued": "status = 'queued'",
    "mode=fast_track": "mode = 'fast_track'",
    "check=classifier": FOUND,
    "label=nudity": FOUND,
    "score_from=0.7": "score >= 0.7::real",
    "score_from=0.25&score_to=0.5": "score BETWEEN 0.25::real AND 0.5::real",
    "score_to=0.05": "score <= 0.05::real",
    "images=yes": HAS_IMAGE,
    "images=no": f"NOT {HAS_IMAGE}",
    "owed=yes": "review_owed",
    "owed=no": "NOT review_owed",
    "text=bicycle": "title LIKE 'Bicycle%%'",
    "text=zepp": "description LIKE '%%zeppelin%%'",
    "text=🎈": "description LIKE '%%zeppelin%%'",
    "text=nowhere": "false",
    "since=2000-01-01": "true",
}
PAIRS = [
    (one, other)
    for one, other in combinations(FILTERS, 2)
    if re.split("[_=]", one)[0] != re.split("[_=]", other)[0]
]


@pytest.fixture(scope="module")
def client(stack: Stack) -> int:
    """A client with submissions of every kind, of the last 25 days."""
    name = f"search-{uuid4().hex[:8]}"
    stack.run("client", "create", name)
    ((number,),) = stack.sql("SELECT id FROM client WHERE name = %s", name)
    stack.sql(FILL, name, name, number, ROWS)
    stack.sql(FINDINGS, number)
    stack.sql(IMAGES, number)
    return int(number)


@pytest.fixture(scope="module")
def console(stack: Stack) -> Console:
    return person(stack)


def found(console: Console, client: int, query: str) -> list[str]:
    """The ids of every page of a search, as somebody finds them who follows the links."""
    path, ids = f"/submissions?client={client}&{query}", []
    for _ in range(40):
        reply = console.get(path)
        assert reply.status_code == 200, reply.text
        ids += re.findall(r'<h2><a href="/console/submissions/([0-9a-f-]{36})"', reply.text)
        more = re.search(r'<a[^>]* href="/console(/submissions\?after=[^"]+)"', reply.text)
        if more is None:
            return ids
        path = more[1].replace("&amp;", "&")
    raise AssertionError("the pages do not end")


def wanted(stack: Stack, client: int, *conditions: str) -> list[str]:
    sql = "SELECT id::text FROM submission s WHERE client_id = %s AND "
    rows = stack.sql(sql + " AND ".join(conditions) + " ORDER BY id DESC", client)
    return [row[0] for row in rows]


@pytest.mark.parametrize("query", FILTERS)
def test_a_filter_finds_all_that_it_names_newest_first(stack, console, client, query):
    assert found(console, client, query) == wanted(stack, client, FILTERS[query])


@pytest.mark.parametrize("pair", PAIRS[:: max(1, len(PAIRS) // 40)], ids="&".join)
def test_filters_narrow_each_other(stack, console, client, pair):
    expected = wanted(stack, client, *(FILTERS[query] for query in pair))
    assert found(console, client, "&".join(pair)) == expected


def test_days_are_whole_ones_in_utc(stack, console, client):
    ((day,),) = stack.sql("SELECT (now() - interval '3 days')::date::text")
    expected = wanted(stack, client, f"created_at::date = '{day}'")
    assert expected
    assert found(console, client, f"since={day}&until={day}") == expected


def test_a_new_upload_is_found_by_its_words_at_once(console, api):
    word = f"quokka{uuid4().hex[:8]}"
    told = api.decided(title=f"A {word}, tame")
    page = console.get(f"/submissions?text={word[:9]}").text
    assert told["job_id"] in page, page[page.find("<main") :][:3000]


def test_a_number_leads_to_its_submission(console, api):
    told = api.decided(title="By its number")
    reply = console.get(f"/submissions?text={told['job_id']}")
    assert reply.url.endswith(f"/console/submissions/{told['job_id']}")


def test_a_filter_that_makes_no_sense_is_told_beside_its_field(console):
    reply = console.get("/submissions?score_from=7&verdict=perhaps&since=tomorrow&client=x")
    assert reply.status_code == 422
    assert re.findall(r'id="fault-([a-z_]+)"', reply.text) == [
        "verdict",
        "client",
        "score_from",
        "since",
    ]


def test_what_is_typed_is_shown_as_text(console):
    reply = console.get('/submissions?text=<b>x</b>&author="><script>')
    assert "<b>x" not in reply.text
    assert '"><script>' not in reply.text


def test_a_fragment_is_the_page_s_own_part(console, client):
    page = console.get(f"/submissions?client={client}")
    part = console.get(f"/submissions?client={client}&verdict=", headers=FRAGMENT)
    assert part.headers["HX-Push-Url"] == f"/console/submissions?client={client}"
    assert "<html" not in part.text
    assert part.text.count('class="hit"') == page.text.count('class="hit"') == 50


def test_the_count_is_told_as_far_as_it_is_cheap(console, client):
    assert "600 results" in console.get(f"/submissions/count?client={client}").text
    assert "12 results" in console.get(f"/submissions/count?client={client}&text=zeppelin").text


def test_the_export_holds_all_that_is_found_and_is_written_down(stack, console, client):
    reply = console.get(f"/submissions/export.csv?client={client}&verdict=rejected")
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert [row["id"] for row in rows] == wanted(stack, client, "verdict = 'rejected'")
    ((details,),) = stack.sql(
        "SELECT details FROM audit WHERE action = 'submissions.export' ORDER BY id DESC LIMIT 1"
    )
    assert details == {"client": str(client), "verdict": "rejected"}


@pytest.mark.parametrize(
    ("title", "cell"),
    [
        *((title, f"'{title}") for title in ("=1+1", "+1", "-1", "@SUM(A1)")),
        *(("\t=1", "'\t'=1"), ("\r=1", "'\r'=1"), ("a;=1+1;b", "a;'=1+1;b")),
    ],
)
def test_no_cell_of_the_export_is_a_formula(console, api, title, cell):
    user = f"=cmd-{uuid4().hex[:8]}"
    told = api.decided(title=title, user_id=user)
    reply = console.get("/submissions/export.csv", params={"author": user})
    (row,) = csv.DictReader(io.StringIO(reply.text, newline=""))
    assert row["id"] == told["job_id"]
    assert row["title"] == cell
    assert row["author"].startswith("'=cmd-")


def test_viewers_see_and_do_not_export(stack, client):
    viewer = person(stack, "viewer")
    assert viewer.get(f"/submissions?client={client}").status_code == 200
    assert "export.csv" not in viewer.get(f"/submissions?client={client}").text
    assert viewer.get("/submissions/export.csv").status_code == 403


def test_words_go_with_the_text(stack, console, api):
    word = f"wombat{uuid4().hex[:8]}"
    told = api.decided(title=word)
    stack.sql("UPDATE submission SET title = '' WHERE id = %s", told["job_id"])
    assert told["job_id"] not in console.get(f"/submissions?text={word}").text
    assert not stack.sql("SELECT 1 FROM submission_words WHERE submission_id = %s", told["job_id"])


def test_the_one_box_finds_authors_external_ids_and_job_ids(stack, api):
    console, mark = person(stack), uuid4().hex[:8]
    told = api.decided(title="A lamp", user_id=f"anna-{mark}", external_id=f"ad/{mark}/7")
    for text in (f"anna-{mark}", f"anna-{mark[:5]}"):
        page = console.get("/submissions", params={"text": text}).text
        assert re.search(rf'href="/console/authors/\d+/anna-{mark}"', page), text
    page = console.get("/submissions", params={"text": f"ad/{mark}/7"}).text
    assert "External id" in page and f'href="/console/submissions/{told["job_id"]}"' in page
    for text in (told["job_id"], told["job_id"].upper(), f" {told['job_id']} "):
        reply = console.get("/submissions", params={"text": text})
        assert reply.url.endswith(f"/console/submissions/{told['job_id']}"), text


def test_a_client_in_the_search_limits_authors_and_external_ids_too(stack, new_client):
    console, mark = person(stack), uuid4().hex[:8]
    numbers = []
    for part in ("one", "two"):
        name = f"{part}-{mark}"
        Api(stack.url, new_client(name)).decided(
            title="A lamp", user_id=f"anna-{mark}", external_id=f"ad-{mark}"
        )
        numbers += stack.sql("SELECT id FROM client WHERE name = %s", name)[0]
    both = console.get("/submissions", params={"text": f"anna-{mark}"}).text
    assert all(f"/authors/{number}/anna-{mark}" in both for number in numbers)
    narrow = console.get("/submissions", params={"text": f"ad-{mark}", "client": numbers[0]}).text
    assert narrow.count("External id</span>") == 1


def test_an_empty_field_of_the_export_is_an_empty_cell(stack, new_client):
    name = f"empty-{uuid4().hex[:8]}"
    Api(stack.url, new_client(name)).decided(title="\n", description="A lamp")
    [(number,)] = stack.sql("SELECT id FROM client WHERE name = %s", name)
    text = person(stack).get("/submissions/export.csv", params={"client": number}).text
    [row] = csv.DictReader(io.StringIO(text))
    assert not any(cell.strip() == "'" for cell in row.values()), row
