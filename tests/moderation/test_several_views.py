"""A picture with several views: the one that was scored is hashed, blocked, compared and shown."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from tests.support.api import Api, eventually, unique
from tests.support.console import Console, person
from tests.support.known_images import none_known
from tests.support.stack import Stack
from tests.support.two_frames import FORMATS, animation, sheet, still

INNOCENT, BAD = "safe_chelsea.jpg", "reject_c.jpg"
SEEN_BY_ALL = 1.0  # seconds in which every worker has read the flags of the others


@pytest.fixture(scope="module")
def moderator(stack: Stack) -> Console:
    return person(stack)


@pytest.fixture(autouse=True)
def nothing_known(stack: Stack) -> Iterator[None]:
    with none_known(stack):
        yield


@pytest.fixture
def new_api(stack: Stack, new_client: Callable[..., str]) -> Callable[[], Api]:
    """Another client; the flags of one are not used for the pictures of another."""
    return lambda: Api(stack.url, new_client())


def check_of(told: dict) -> str:
    return told["reasons"][0]["check"]


def test_a_flag_is_used_for_the_same_picture_of_the_same_client_alone(new_api):
    api, other = new_api(), new_api()
    assert check_of(api.decided(unique("reject_a.jpg"))) == "classifier"
    time.sleep(SEEN_BY_ALL)
    assert check_of(other.decided(unique("reject_a.jpg"))) == "classifier", "another client"
    told = api.decided("reject_a_recompressed.jpg")
    assert check_of(told) == "duplicates", "the same picture"
    assert "looks like one flagged recently, distance" in told["reasons"][0]["explanation"]
    assert check_of(api.decided("reject_a_cropped.jpg")) == "classifier", "a similar picture"


def test_an_innocent_first_frame_stays_innocent_after_the_bad_one_was_flagged(new_api):
    api = new_api()
    for kind in FORMATS:
        told = api.decided(animation(INNOCENT, BAD, kind=kind))
        assert told["verdict"] == "rejected", kind
        assert "frame 2 of 2" in told["reasons"][0]["explanation"], kind
        time.sleep(SEEN_BY_ALL)
        told = api.decided(unique(still(INNOCENT)))
        assert told["verdict"] == "approved", (kind, told)


def test_the_hash_is_that_of_the_worst_frame_and_its_still_stands_beside_it(
    new_api, stack, moderator
):
    api = new_api()
    alone, moving = api.decided(still(BAD)), api.decided(animation(INNOCENT, BAD, kind="WEBP"))
    distance, frame, stills = stack.sql(
        "SELECT bit_count(('x' || encode(a.pdq, 'hex'))::bit(256)"
        " # ('x' || encode(b.pdq, 'hex'))::bit(256)), b.worst_frame, b.stills"
        " FROM image a, image b WHERE a.submission_id = %s AND b.submission_id = %s",
        alone["job_id"],
        moving["job_id"],
    )[0]
    assert distance <= 16, "the two views of one picture are scaled differently"
    assert (frame, stills[0][0]) == (1, 1)
    moderator.post(f"/reviews/{moving['job_id']}/block", form="/known-images", label="nudity")
    assert "/frame/1" in moderator.get("/known-images").text


def test_blocking_an_animation_blocks_its_bad_frame_and_not_its_first(new_api, stack, moderator):
    api = new_api()
    bad = "reject_a.jpg"  # the palette of a GIF moves the others by more than the limit
    job = api.decided(animation(INNOCENT, bad, kind="GIF"))["job_id"]
    moderator.post(f"/reviews/{job}/block", form="/known-images", label="nudity")
    other = new_api()
    told = eventually(lambda: (t := other.decided(unique(still(bad)))) and _known(t) and t)
    assert told["verdict"] == "rejected"
    assert other.decided(unique(still(INNOCENT)))["verdict"] == "approved"
    frames = ("safe_coffee.jpg", "safe_rocket.jpg", bad, "safe_astronaut.jpg")
    told = new_api().decided(animation(*frames, kind="WEBP"))
    assert check_of(told) == "known_hashes", "any frame is compared"
    assert "frame 3 of 4 looks like a known image" in told["reasons"][0]["explanation"]


def _known(told: dict) -> bool:
    return bool(told["reasons"]) and check_of(told) == "known_hashes"


def test_a_bad_tile_of_a_sheet_goes_to_a_person_who_sees_where_and_can_block_it(
    new_api, stack, moderator
):
    api, picture = (
        new_api(),
        sheet("safe_chelsea.jpg", BAD, "safe_coffee.jpg", "safe_astronaut.jpg"),
    )
    first, again = api.decided(picture), api.decided(picture)
    for told in (first, again):
        assert told["verdict"] == "review", "a part alone does not reject"
        assert "one of its 4 parts" in told["reasons"][0]["explanation"]
    kept = [
        stack.sql(
            "SELECT f.score, f.evidence - 'reused', i.score, i.view, encode(i.pdq, 'hex')"
            " FROM finding f JOIN image i ON i.id = f.image_id WHERE f.submission_id = %s",
            told["job_id"],
        )[0]
        for told in (first, again)
    ]
    assert kept[0] == kept[1], "the score of the same bytes gives the same finding"
    assert kept[0][1]["box"] == pytest.approx([0.5, 0, 1, 0.5], abs=0.01)
    heat = eventually(lambda: _heat(moderator, stack, first["job_id"]))
    width, height = heat.size
    left, _, _, bottom = heat.getchannel("A").getbbox()
    assert left >= width * 0.45 and bottom <= height * 0.55, "the heatmap lies on the tile"
    moderator.post(f"/reviews/{first['job_id']}/block", form="/known-images", label="nudity")
    time.sleep(2)  # every worker has read the hash bank
    other = sheet("safe_rocket.jpg", "safe_coffee.jpg", BAD, "safe_astronaut.jpg")
    told = new_api().decided(other)
    assert (told["verdict"], check_of(told)) == ("rejected", "known_hashes")
    clean = ("safe_chelsea.jpg", "safe_rocket.jpg", "safe_coffee.jpg", "safe_astronaut.jpg")
    assert new_api().decided(sheet(*clean))["verdict"] == "approved"


def _heat(moderator: Console, stack: Stack, job: str) -> Image.Image | None:
    [(image_id,)] = stack.sql("SELECT id FROM image WHERE submission_id = %s", job)
    moderator.get(f"/reviews/heat/{image_id}")
    reply = moderator.get(f"/media/{image_id}/heat")
    return Image.open(io.BytesIO(reply.content)) if reply.status_code == 200 else None


def test_what_an_earlier_release_hashed_by_its_first_frame_is_hashed_again(
    new_api, stack, moderator
):
    first, moving = (
        new_api().decided(still(INNOCENT))["job_id"],
        new_api().decided(animation(INNOCENT, BAD, kind="WEBP"))["job_id"],
    )
    stack.sql(
        "UPDATE image SET view = NULL, pdq = (SELECT pdq FROM image WHERE submission_id = %s)"
        " WHERE submission_id = %s",
        first,
        moving,
    )
    moderator.post(f"/reviews/{moving}/block", form="/known-images", label="nudity")
    told = eventually(lambda: (t := new_api().decided(unique(still(BAD)))) and _known(t) and t)
    assert told["verdict"] == "rejected"
    assert new_api().decided(unique(still(INNOCENT)))["verdict"] == "approved"


def test_an_allowed_picture_does_not_allow_what_stands_behind_it(new_api, stack, moderator):
    api = new_api()
    job = api.decided(still(INNOCENT))["job_id"]
    moderator.post(f"/reviews/{job}/allow", form="/known-images")
    eventually(lambda: _allowed(stack, api.decided(unique(still(INNOCENT)))["job_id"]))
    for kind in FORMATS:
        assert new_api().decided(animation(INNOCENT, BAD, kind=kind))["verdict"] == "rejected", kind


def test_an_allowed_animation_does_not_allow_another_with_its_first_frame(
    new_api, stack, moderator
):
    job = new_api().decided(animation(INNOCENT, "reject_a.jpg", kind="WEBP"))["job_id"]
    moderator.post(f"/reviews/{job}/allow", form="/known-images")
    api = new_api()
    eventually(lambda: api.decided(unique(still("reject_a.jpg")))["verdict"] == "approved")
    assert api.decided(animation(INNOCENT, BAD, kind="WEBP"))["verdict"] == "rejected"
    assert api.decided(animation("reject_a.jpg", BAD, kind="WEBP"))["verdict"] == "rejected"


def _allowed(stack: Stack, job: str) -> bool:
    rows = stack.sql("SELECT action FROM finding WHERE submission_id = %s", job)
    return ("allow",) in rows
