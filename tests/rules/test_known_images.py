"""The known images page: adding, look-alikes, removing and its undo, files, and review's verb."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.api import PICTURES, Api, content, eventually, unique
from tests.support.console import FRAGMENT, Console, person
from tests.support.known_images import none_known
from tests.support.stack import ROOT, Stack


@pytest.fixture(scope="module")
def moderator(stack: Stack) -> Console:
    return person(stack)


@pytest.fixture(autouse=True)
def nothing_known(stack: Stack) -> Iterator[None]:
    with none_known(stack):
        yield


def add(console: Console, *pictures: bytes, **fields: str):
    """Fill the page's form and send it."""
    fields = {"action": "block", "label": "nudity", "note": "", **fields}
    fields["csrf_token"] = console.token("/known-images")
    files = [("images", ("p.jpg", data, "image/jpeg")) for data in pictures]
    return console.http.post(console.url + "/known-images", data=fields, files=files or {"x": ""})


def entries(stack: Stack) -> list[tuple]:
    return stack.sql(
        "SELECT id, kind, action, label, look_owed, problem, removed_at IS NULL FROM known_hash"
        " ORDER BY id"
    )


def learned(stack: Stack, count: int = 2) -> list[tuple]:
    """The entries once no look is owed any more."""
    return eventually(
        lambda: (
            rows
            if len(rows := entries(stack)) == count and not any(row[4] for row in rows)
            else None
        )
    )


def test_a_picture_is_known_by_its_bytes_at_once_and_by_its_look_soon(
    stack, moderator, api: Api
) -> None:
    data = unique("safe_rocket.jpg")
    reply = add(moderator, data, note="the rocket")
    assert "the rocket" in reply.text
    assert stack.sql("SELECT encode(hash, 'hex') FROM known_hash WHERE kind = 'sha256'") == [
        (hashlib.sha256(data).hexdigest(),)
    ]
    assert {row[1] for row in learned(stack)} == {"sha256", "pdq"}
    told = eventually(lambda: (t := api.decided(data))["verdict"] == "rejected" and t)
    assert told["reasons"][0]["check"] == "known_hashes"
    alike = eventually(
        lambda: (t := api.decided(unique("safe_rocket.jpg")))["verdict"] == "rejected" and t
    )
    assert alike["reasons"][0]["label"] == "nudity"


def test_the_picture_that_was_given_is_not_kept(stack, moderator):
    add(moderator, unique("safe_coffee.jpg"))
    learned(stack)
    left = {path.name for path in (stack.home / "media" / "originals").glob("*/*")}
    known = {row[0].rpartition("/")[2] for row in stack.sql("SELECT storage_key FROM image")}
    assert left <= known


def test_a_picture_that_no_worker_can_read_is_known_by_its_bytes_alone(stack, moderator):
    add(moderator, content("safe_rocket.jpg")[:200])
    [row] = learned(stack, 1)
    assert "cannot be read" in row[5]
    assert "exact copies only" in moderator.get("/known-images").text


@pytest.mark.parametrize(
    ("pictures", "fields", "sentence"),
    [
        ([], {}, "Choose a picture"),
        ([b"no picture"], {}, "is not a JPEG"),
        ([b""], {}, "is empty"),
        (["safe_rocket.jpg"], {"action": "burn"}, "action must be one of"),
        (["safe_rocket.jpg"], {"label": "nice"}, "label must be one of"),
        (["safe_rocket.jpg"], {"note": "x" * 301}, "at most 300"),
    ],
)
def test_what_cannot_be_known_is_refused_with_a_sentence(
    stack, moderator, pictures, fields, sentence
):
    reply = add(moderator, *map(content, pictures), **fields)
    assert reply.status_code == 422 or reply.status_code == 415
    assert sentence in reply.text or "one of" in sentence
    assert entries(stack) == []


def test_blocking_from_a_review_makes_both_entries_and_can_be_undone(
    stack, moderator, api: Api
) -> None:
    job_id = api.decided(unique("review_a.jpg"), title="Flag")["job_id"]
    reply = moderator.post(
        f"/reviews/{job_id}/block", form="/known-images", label="nudity", headers=FRAGMENT
    )
    assert reply.status_code == 200, reply.text
    assert "Undo" in reply.text
    rows = learned(stack)
    assert [(row[1], row[2], row[3]) for row in rows] == [
        ("sha256", "block", "nudity"),
        ("pdq", "block", "nudity"),
    ]
    assert stack.sql(
        "SELECT count(*) FROM audit WHERE subject = ANY(%s)",
        [f"known image {row[0]}" for row in rows],
    ) == [(2,)]
    ids = re.findall(r'name="known" value="(\d+)"', reply.text)
    moderator.post("/known-images/remove", form="/known-images", known=ids)
    assert not any(row[6] for row in entries(stack))


def test_a_picture_that_was_never_hashed_is_hashed_when_it_is_blocked(stack, moderator, api: Api):
    word = "zk" + uuid4().hex.translate(str.maketrans("0123456789", "ghijklmnop"))[:12]
    path = stack.home.parent / "rule.csv"
    path.write_text(f"kind,pattern,action,label\nword,{word},reject,scam\n")
    stack.run("rules", "import", str(path))
    job_id = eventually(
        lambda: (
            (t := api.decided(unique("safe_chelsea.jpg"), title=word))["verdict"] == "rejected"
            and t["job_id"]
        )
    )
    # Beside others it may have been hashed although the rule was enough.
    stack.sql("UPDATE image SET pdq = NULL WHERE submission_id = %s", job_id)
    moderator.post(f"/reviews/{job_id}/block", form="/known-images", label="other")
    learned(stack)
    [(key,)] = stack.sql("SELECT storage_key FROM image WHERE submission_id = %s", job_id)
    assert (stack.home / "media" / "originals" / key).exists()


def test_allowing_spares_look_alikes(stack, moderator, api: Api):
    job_id = api.decided(unique("reject_b.jpg"))["job_id"]
    moderator.post(f"/reviews/{job_id}/allow", form="/known-images")
    assert {row[2] for row in learned(stack)} == {"allow"}
    eventually(lambda: api.decided(unique("reject_b.jpg"))["verdict"] == "approved")


def test_a_submission_without_pictures_has_none_to_block(moderator, api: Api):
    job_id = api.decided(title="Only text")["job_id"]
    reply = moderator.post(f"/reviews/{job_id}/block", form="/known-images", headers=FRAGMENT)
    assert reply.status_code == 422
    assert "no picture" in reply.text
    missing = moderator.post(f"/reviews/{uuid4()}/block", form="/known-images")
    assert missing.status_code == 404


def test_a_removed_entry_hits_nothing_and_comes_back(stack, moderator, api: Api):
    data = unique("safe_astronaut.jpg")
    add(moderator, data)
    ids = [str(row[0]) for row in learned(stack)]
    eventually(lambda: api.decided(data)["verdict"] == "rejected")
    page = moderator.post("/known-images/remove", form="/known-images", known=ids).text
    assert "Removed: 2 entries" in page
    eventually(lambda: api.decided(data)["verdict"] == "approved")
    row = moderator.post(
        "/known-images/restore", form="/known-images", known=ids[0], headers=FRAGMENT
    ).text
    assert f'id="known-{ids[0]}"' in row
    eventually(lambda: api.decided(data)["verdict"] == "rejected")
    page = moderator.get(f"/known-images/{ids[0]}").text
    assert "restored it" in page


def test_an_entry_shows_its_near_matches_with_their_distance_and_its_hits(
    stack, moderator, api: Api
):
    title = f"Near {uuid4().hex[:8]}"
    api.decided(unique("reject_a.jpg"), title=title)
    job_id = api.decided(unique("reject_a_cropped.jpg"), title=title + " cropped")["job_id"]
    moderator.post(f"/reviews/{job_id}/block", form="/known-images", label="nudity")
    rows = learned(stack)
    number = next(row[0] for row in rows if row[1] == "pdq")
    eventually(
        lambda: api.decided(unique("reject_a_cropped.jpg"))["reasons"][0]["check"] == "known_hashes"
    )
    page = moderator.get(f"/known-images/{number}").text
    assert f"{title} cropped" in page
    assert "<b>0</b><small>match</small>" in page
    shown = moderator.get("/known-images").text
    assert re.search(r"<b>\d+</b> hits?", shown)


def test_near_matches_are_found_among_many_images(stack):
    """The distances of SQL are those of the worker's bank, bit for bit."""
    code = bytes(range(32))
    other = bytes([code[0] ^ 0b10000001, *code[1:31], code[31] ^ 1])
    [(distance,)] = stack.sql(
        "SELECT bit_count(('x' || encode(%s, 'hex'))::bit(256) # %s::bit(256))",
        other,
        "".join(f"{byte:08b}" for byte in code),
    )
    assert distance == 3


def test_files_are_shown_first_and_imported_all_or_none(stack, tmp_path):
    admin = person(stack, "administrator")
    code = hashlib.sha256(uuid4().bytes).hexdigest()
    text = f"kind,hash,action,label,note\nsha256,{code},block,hate,=1+1\npdq,{code},allow,,\n"

    def send(body: str):
        data = {"csrf_token": admin.token("/known-images"), "pasted": body}
        return admin.post("/known-images/import", form="/known-images", **data)

    wrong = send(text + "sha256,12,block,hate,\nnone,x,block,,\n")
    assert wrong.status_code == 422
    assert "Row 3" in wrong.text
    assert "Row 4" in wrong.text
    preview = send(text)
    assert "Nothing is imported yet" in preview.text
    assert entries(stack) == []
    sent = re.search(r'name="rows" value="([^"]*)"', preview.text)[1].replace("&#34;", '"')
    admin.post("/known-images/import", form="/known-images", rows=sent, name="x", step="apply")
    assert [(row[1], row[2]) for row in entries(stack)] == [("sha256", "block"), ("pdq", "allow")]
    exported = admin.get("/known-images/export.csv").text
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert rows[1 if rows[0]["kind"] == "pdq" else 0]["note"] == "'=1+1"
    path = tmp_path / "known.csv"
    path.write_text(exported)
    assert "2 unchanged" in stack.run("hashes", "import", str(path)).stdout
    told = admin.get("/known-images/export.json").json()
    assert {row["hash"] for row in told} == {code}


def test_who_may_do_what(stack, moderator):
    viewer = person(stack, "viewer")
    assert viewer.get("/known-images").status_code == 200
    assert add(viewer, (PICTURES / "safe_rocket.jpg").read_bytes()).status_code == 403
    assert viewer.post("/known-images/remove", form="/known-images", known="1").status_code == 403
    assert viewer.post(f"/reviews/{uuid4()}/block", form="/known-images").status_code == 403
    assert moderator.get("/known-images/import").status_code == 403
    assert moderator.post("/known-images/import", form="/known-images").status_code == 403
    reply = moderator.http.post(moderator.url + "/known-images/remove", data={"known": "1"})
    assert reply.status_code == 400
    assert entries(stack) == []


def test_what_is_not_there_is_said_to_be_not_there(moderator):
    assert moderator.get("/known-images/99999999999999999999").status_code == 404
    assert moderator.get("/known-images/4711").status_code == 404
    query = {"q": "\0%", "kind": "'", "state": "x", "after": "9" * 40}
    assert moderator.get("/known-images", params=query).status_code == 200


LEARN = """
import sys
from models.database import connection
from models.settings import Settings, use_settings
from tasks.moderation import hash_known_image
from models.hash_bank import known_hash
connection.connect(use_settings(Settings.load()), pool=1)
number = int(sys.argv[1])
with connection.connection():
    hash_known_image.learn(number)
    known_hash.add_perceptual(number, bytes(range(32)))
"""


def test_a_worker_adds_no_hash_for_a_block_that_was_undone_first(stack, moderator):
    """The hash is still owed, and made if the entry is restored."""
    moderator_id = stack.sql("SELECT max(id) FROM moderator")[0][0]
    [(number,)] = stack.sql(
        "INSERT INTO known_hash (kind, hash, action, moderator_id, look_owed, removed_at)"
        " VALUES ('sha256', %s, 'block', %s, true, now()) RETURNING id",
        uuid4().bytes * 2,
        moderator_id,
    )
    command = [sys.executable, "-c", LEARN, str(number)]
    done = subprocess.run(command, cwd=ROOT, env=stack.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [row[:2] + row[4:] for row in entries(stack)] == [(number, "sha256", True, "", False)]
    moderator.post("/known-images/restore", form="/known-images", known=str(number))
    assert "picture is gone" in learned(stack, 1)[0][5]
