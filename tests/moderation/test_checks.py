"""The checks on real uploads: rules, known images, duplicates, and their order."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

from tests.support.api import PICTURES, Api, content, drawn, eventually, unique
from tests.support.known_images import forget
from tests.support.stack import Stack


@pytest.fixture
def rule(stack: Stack, tmp_path):
    """Adds a rule; every process follows within two seconds."""

    def add(kind: str, pattern: str, action: str, label: str = "scam") -> None:
        path = tmp_path / f"{uuid4().hex}.csv"
        path.write_text(f'kind,pattern,action,label\n{kind},"{pattern}",{action},{label}\n')
        stack.run("rules", "import", str(path))
        time.sleep(2)

    return add


def test_a_rule_holds_within_two_seconds_and_names_what_it_matched(api: Api, rule) -> None:
    rule("phrase", "quantum carpet", "reject")
    told = api.decided(title="For sale", description="One Qu4ntum  Cárpet, as new")
    assert told["verdict"] == "rejected"
    assert "“Qu4ntum  Cárpet”" in told["reasons"][0]["explanation"]


def test_the_evidence_holds_the_span_in_the_original_text(api: Api, rule, stack: Stack) -> None:
    rule("word", "zorblax", "review")
    text = "Ask for z o r b l a x at the door"
    told = api.decided(title="Flat", description=text)
    [(evidence,)] = stack.sql(
        "SELECT evidence FROM finding WHERE submission_id = %s", told["job_id"]
    )
    assert text[evidence["start"] : evidence["end"]] == "z o r b l a x"
    assert evidence["field"] == "description"


def test_an_allow_rule_makes_an_exception(api: Api, rule) -> None:
    rule("word", "florp", "reject")
    rule("phrase", "florp museum", "allow")
    assert api.decided(title="Tickets for the florp museum")["verdict"] == "approved"
    assert api.decided(title="Buy florp here")["verdict"] == "rejected"


def test_rules_stop_before_the_pictures_are_decoded(api: Api, rule, stack: Stack) -> None:
    rule("word", "grumbix", "reject")
    told = api.decided(unique("safe_rocket.jpg"), title="grumbix")
    assert stack.sql("SELECT score FROM image WHERE submission_id = %s", told["job_id"]) == [
        (None,)
    ]


def test_the_same_bytes_are_not_scored_twice(api: Api, stack: Stack) -> None:
    picture = drawn()
    first, second = api.decided(picture), api.decided(picture)
    assert first["verdict"] == second["verdict"]
    [(evidence,)] = stack.sql(
        "SELECT evidence FROM finding WHERE submission_id = %s AND \"check\" = 'classifier'",
        second["job_id"],
    )
    assert evidence["reused"] == "bytes"


def test_a_look_alike_of_a_flagged_picture_is_flagged_by_it(api: Api, stack: Stack) -> None:
    api.decided(unique("reject_a.jpg"))
    time.sleep(2.5)  # workers read the recent flags every two seconds
    told = api.decided("reject_a_recompressed.jpg")
    assert told["verdict"] == "rejected"
    assert told["reasons"][0]["check"] == "duplicates"


def test_a_blocked_picture_is_known_by_its_bytes_and_by_its_look(
    api: Api, stack: Stack, tmp_path
) -> None:
    picture = tmp_path / "banned.jpg"
    picture.write_bytes(content("safe_chelsea.jpg"))
    stack.run("hashes", "add", str(picture), "--action", "block", "--label", "spam")
    time.sleep(2)
    exact, alike = api.decided("safe_chelsea.jpg"), api.decided(unique("safe_chelsea.jpg"))
    try:
        assert exact["verdict"] == alike["verdict"] == "rejected"
        assert exact["reasons"][0]["label"] == "spam"
        assert "known" in exact["reasons"][0]["explanation"]
        assert alike["reasons"][0]["check"] == "known_hashes"
    finally:
        forget(stack)
        time.sleep(2)
    assert api.decided(unique("safe_chelsea.jpg"))["verdict"] == "approved"


def test_an_allowed_picture_is_not_scored(api: Api, stack: Stack, tmp_path) -> None:
    bank, picture = tmp_path / "bank.csv", unique("review_c.jpg")
    path = tmp_path / "ours.jpg"
    path.write_bytes(picture)
    stack.run("hashes", "add", str(path), "--action", "allow")
    rows = stack.run("hashes", "export").stdout
    bank.write_text(rows)
    stack.run("hashes", "import", str(bank))
    time.sleep(2)
    try:
        assert api.decided(picture)["verdict"] == "approved"
    finally:
        forget(stack)
        time.sleep(2)


def test_findings_are_stored_with_their_pictures(api: Api, stack: Stack) -> None:
    told = api.decided("safe_rocket.jpg", unique("review_b.jpg"))
    rows = stack.sql(
        'SELECT f."check", i.position FROM finding f JOIN image i ON i.id = f.image_id'
        " WHERE f.submission_id = %s AND f.action <> 'note'",
        told["job_id"],
    )
    assert [position for _, position in rows] == [1]


def test_flagged_pictures_have_thumbnails_without_metadata(api: Api, stack: Stack) -> None:
    told = api.decided(unique("reject_c_exif6.jpg"))
    [(key, has)] = stack.sql(
        "SELECT storage_key, thumbnail FROM image WHERE submission_id = %s", told["job_id"]
    )
    path = stack.home / "media" / "thumbs" / f"{key}.webp"
    assert has
    eventually(path.exists)
    assert b"EXIF" not in path.read_bytes()[:200]
    assert PICTURES.exists()
