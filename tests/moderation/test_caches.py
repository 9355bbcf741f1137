"""Caches: scores of bytes that came before, in three layers, judged anew each time."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.api import Api, content, drawn, eventually, unique
from tests.support.policies import nudity, set_policy
from tests.support.stack import ROOT, Stack

LAYERS = """
import hashlib, json, sys, time
from models.database import connection as db
from models.settings import Settings, use_settings
from tasks.moderation.look_alike_cache import LookAlikeCache
from tasks.moderation.score_cache import LocalScores, ScoreCache
from tasks.observability import metrics
settings = use_settings(Settings.load())
db.connect(settings, pool=2)
asked = []
metrics.cached = lambda cache, layer, hit: asked.append([cache, layer, hit])
"""
SCORES = """
scores, digest = ScoreCache(settings), bytes.fromhex(sys.argv[1])
with db.connection():
    first = scores.get(digest)
    layers, asked[:] = list(asked), []
    again = scores.get(digest)
assert again == first
print(json.dumps([first and first[0], layers, asked]))
"""
ALIKES = """
import secrets
mine, theirs = LookAlikeCache(300), LookAlikeCache(300)
with db.connection():
    theirs.nearest(bytes(32), 31, 1)
    codes = [secrets.token_bytes(32) for _ in range(10_050)]
    for code in codes[-3:]:
        mine.add(code, 0.9, 1)
    near = bytearray(codes[-1]); near[0] ^= 0b111
    mine_found, asked[:] = mine.nearest(bytes(near), 31, 1), []
    theirs._read_at = 0
    found = theirs.nearest(bytes(near), 31, 1)
    foreign = [theirs.nearest(bytes(near), 31, client) for client in (2, None)]
    for code in codes:
        mine._note((code, 1), 0.5, time.time(), "process")
    far = mine.nearest(secrets.token_bytes(32), 31, 1)
    mine.nearest(secrets.token_bytes(32), 31, 1)
    late = LookAlikeCache(0.05)
    late.add(codes[0], 0.9, 1)
    late.add(codes[1], 0.1, 1)
    kept = len(late)
    time.sleep(0.1)
late = [kept, late._search(codes[0], 31, 1)]
print(json.dumps([mine_found, found, foreign, asked[:2], far, len(mine), late]))
"""
OLD_ENTRIES = """
import struct
from tasks.queue.lanes import get_redis
code, now = bytes(range(32)), time.time()
get_redis().zadd("sluice:flagged", {struct.pack("<32sf", code, 0.9): now})
for key in list(get_redis().scan_iter("sluice:scores:2:*")):
    old = key.replace(b"sluice:scores:2:", b"sluice:scores:")
    entry = [now, 0.9, 0, 1, 640, 640, code.hex(), 90, "00000000-0000-0000-0000-000000000000"]
    get_redis().hset(old, mapping={code: json.dumps(entry)})
with db.connection():
    print(json.dumps([LookAlikeCache(300).nearest(code, 31, None), ScoreCache(settings).get(code)]))
"""


def run(stack: Stack, script: str, *arguments: str, **env: str) -> Any:
    """What a process beside the workers prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", LAYERS + script, *arguments],
        cwd=ROOT,
        env={**stack.env, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def layers(*hits: bool) -> list[list[Any]]:
    names = ("process", "redis", "postgres")
    return [["same_bytes", name, hit] for name, hit in zip(names, hits, strict=False)]


def findings(stack: Stack, job_id: str, check: str) -> list[dict[str, Any]]:
    rows = stack.sql(
        'SELECT action, score, evidence FROM finding WHERE submission_id = %s AND "check" = %s',
        job_id,
        check,
    )
    return [{"action": row[0], "score": row[1], **row[2]} for row in rows]


def digest_of(stack: Stack, job_id: str) -> str:
    [(digest,)] = stack.sql(
        "SELECT encode(sha256, 'hex') FROM image WHERE submission_id = %s", job_id
    )
    return digest


def test_each_layer_answers_where_those_before_it_do_not(stack: Stack, api: Api):
    told = api.decided(drawn())
    digest = digest_of(stack, told["job_id"])
    [(score,)] = stack.sql("SELECT score FROM image WHERE submission_id = %s", told["job_id"])
    found, first, again = run(stack, SCORES, digest)
    assert found == pytest.approx(score, abs=1e-6)
    assert (first, again) == (layers(False, True), layers(True))
    away = run(stack, SCORES, digest, REDIS_URL="redis://127.0.0.1:1/0")
    assert away[1:] == [layers(False, False, True), layers(True)]
    other = run(stack, SCORES, digest, NSFW_MODEL="/another.onnx")  # its scores would be others
    assert other[1] == layers(False, False, True)
    for key in stack.redis().scan_iter("sluice:scores:2:*"):
        assert 0 < stack.redis().ttl(key) <= 2 * 3600
        stack.redis().delete(key)
    assert run(stack, SCORES, digest)[1] == layers(False, False, True)
    assert run(stack, SCORES, "00" * 32)[:2] == [None, layers(False, False, False)]


def test_a_score_is_judged_anew_by_the_policy_of_the_moment(stack: Stack, api: Api, new_client):
    picture = unique("reject_a.jpg")
    assert api.decided(picture)["verdict"] == "rejected"
    name = "Lenient"
    lenient = Api(stack.url, new_client(name))
    set_policy(stack, name, **nudity(reject_at=1, review_at=1))
    eventually(lambda: lenient.decided(picture)["verdict"] == "approved")
    set_policy(stack, name, **nudity(reject_at=0.5, review_at=0.1))
    eventually(lambda: lenient.decided(picture)["verdict"] == "rejected")


def test_a_hash_bank_that_changed_is_heeded_for_bytes_that_came_before(stack: Stack, api: Api):
    picture = drawn()
    first = api.decided(picture)
    assert first["verdict"] == "approved"
    job = first["job_id"]
    stack.sql(
        "INSERT INTO known_hash (kind, hash, action, label)"
        " SELECT 'pdq', pdq, 'block', 'violence' FROM image WHERE submission_id = %s",
        job,
    )
    stack.sql("UPDATE revision SET number = number + 1 WHERE name = 'known_hashes'")
    again = eventually(lambda: (t := api.decided(picture))["verdict"] == "rejected" and t)
    assert [reason["check"] for reason in again["reasons"]] == ["known_hashes"]
    stack.sql("DELETE FROM known_hash WHERE kind = 'pdq' AND label = 'violence'")
    stack.sql("UPDATE revision SET number = number + 1 WHERE name = 'known_hashes'")
    eventually(lambda: api.decided(picture)["verdict"] == "approved")


def test_what_was_doubted_is_doubted_again(stack: Stack, api: Api):
    data = unique(content("safe_astronaut.jpg"))
    cut = data[: len(data) * 2 // 3] + b"\xff\xd9"
    first, second = api.decided(cut), api.decided(cut)
    for told in (first, second):
        assert told["verdict"] == "review", told
        assert findings(stack, told["job_id"], "pictures")


def test_look_alikes_are_known_here_at_once_and_elsewhere_by_redis(stack: Stack):
    mine, theirs, foreign, asked, far, most, late = run(stack, ALIKES)
    assert mine == pytest.approx([0.9, 3])
    assert theirs == pytest.approx([0.9, 3])
    assert foreign == [None, theirs], "another client has it only if all clients share"
    assert asked == [["look_alikes", "process", False], ["look_alikes", "redis", True]]
    assert far is None
    assert most <= 10_000
    assert late == [1, None]  # what scored little is not kept, what is old is let go
    stack.redis().delete("sluice:flagged:2")


def test_entries_of_the_last_release_are_not_read(stack: Stack, api: Api):
    api.decided(drawn())
    assert list(stack.redis().scan_iter("sluice:scores:2:*"))
    assert run(stack, OLD_ENTRIES) == [None, None]


def test_a_process_keeps_no_more_than_it_may(stack: Stack):
    script = """
kept = LocalScores(0.2, most=3)
for number in range(5):
    kept.put(bytes([number]), (number,))
    kept.get(bytes([2]))
before = [number for number in range(5) if kept.get(bytes([number]))]
time.sleep(0.25)
print(json.dumps([before, len(kept), kept.get(bytes([2]))]))
"""
    assert run(stack, script) == [[2, 3, 4], 3, None]
