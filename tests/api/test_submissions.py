"""``POST /api/moderation/submissions`` and what comes back by every road."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.support.api import Api, content, eventually, unique


@pytest.mark.parametrize(
    ("picture", "verdict"),
    [
        ("safe_astronaut.jpg", "approved"),
        ("reject_a.jpg", "rejected"),
        ("review_b.jpg", "review"),
        ("reject_c_exif6.jpg", "rejected"),
        ("animated_bad_frame_17.webp", "rejected"),
        ("reject_b_13mp.jpg", "rejected"),
    ],
)
def test_the_verdict_comes_at_once_when_it_is_quiet(api: Api, picture: str, verdict: str) -> None:
    reply = api.submit(picture, title="Garden chairs")
    told = reply.json()
    assert reply.status_code == 200
    assert (told["mode"], told["status"], told["verdict"]) == ("sync", "decided", verdict)
    assert told["visible"] is (verdict == "approved")
    assert "total;dur=" in reply.headers["Server-Timing"]


def test_the_verdict_is_the_same_by_status(api: Api) -> None:
    told = api.decided("review_b.jpg")
    again = api.status(told["job_id"])
    assert again == told
    assert told["check_url"].endswith(told["job_id"])


def test_a_reason_names_the_picture_and_its_score(api: Api) -> None:
    told = api.decided("safe_coffee.jpg", "review_c.jpg")
    [reason] = told["reasons"]
    assert reason["image"] == 1
    assert reason["check"] in ("classifier", "duplicates")  # other tests send look-alikes too
    assert reason["score"] == pytest.approx(0.316, abs=0.01)
    assert "picture 2" in reason["explanation"].lower()


def test_a_frame_of_an_animation_is_named(api: Api) -> None:
    told = api.decided("animated_bad_frame_17.webp")
    assert "frame 18 of 24" in told["reasons"][0]["explanation"]


def test_text_alone_goes_as_json(api: Api) -> None:
    assert api.decided(title="Oak table", description="Pick up on Sunday")["verdict"] == "approved"


def test_five_pictures_are_taken(api: Api) -> None:
    told = api.decided(*[unique("safe_rocket.jpg") for _ in range(5)])
    assert told["verdict"] == "approved"


def test_external_id_comes_back(api: Api) -> None:
    assert api.decided(title="x", external_id="ad-77")["external_id"] == "ad-77"


def test_long_poll_answers_when_it_is_decided(api: Api) -> None:
    told = api.submit(title="quick").json()
    assert api.status(told["job_id"], wait=20)["status"] == "decided"


def test_another_client_sees_nothing(api: Api, new_client, stack) -> None:
    told = api.decided(title="mine")
    other = Api(stack.url, new_client())
    reply = other.http.get(f"{other.base}/status/{told['job_id']}")
    assert reply.status_code == 404
    assert reply.json()["detail"] == f"There is no submission {told['job_id']}."


def test_publish_first_shows_until_rejected(new_client, stack) -> None:
    api = Api(stack.url, new_client("", "--publish-first"))
    assert api.decided("review_b.jpg")["visible"] is True
    assert api.decided("reject_a.jpg")["visible"] is False


def test_priority_is_taken(api: Api) -> None:
    assert api.decided("safe_rocket.jpg", priority="priority")["verdict"] == "approved"


def test_detect_scores_and_stores_nothing(api: Api, stack) -> None:
    before = stack.sql("SELECT count(*) FROM submission")
    files = [
        ("images", ("a.jpg", content(name)))
        for name in ("reject_b.jpg", "safe_coffee.jpg", "animated_bad_frame_17.gif")
    ]
    found = api.http.post(f"{api.base}/detect", files=files).json()
    assert [round(one["score"], 2) for one in found] == [0.93, 0.01, 0.77]
    assert [one["frames"] for one in found] == [1, 1, 24]
    assert all(len(one["sha256"]) == len(one["pdq"]) == 64 for one in found)
    assert stack.sql("SELECT count(*) FROM submission") == before


def test_stats_tell_depth_mode_wait_and_workers(api: Api) -> None:
    told = api.stats()
    assert told["queue_available"] is True
    assert set(told["queues"]) == {"priority", "normal", "review_debt"}
    assert told["current_mode"] == "sync"
    assert {worker["name"] for worker in told["workers"]} >= {"worker_00", "priority_00"}


def test_a_revoked_key_fails(stack, new_client) -> None:
    name = f"revoked-{uuid4().hex[:6]}"
    api = Api(stack.url, new_client(name))
    assert api.submit(title="x").status_code == 200
    key = api.http.headers["Authorization"].split()[1]
    stack.run("client", "revoke", name, key)
    eventually(lambda: api.submit(title="x").status_code == 401, seconds=5)


def test_a_rotated_key_overlaps(stack, new_client) -> None:
    name = f"rotated-{uuid4().hex[:6]}"
    old = Api(stack.url, new_client(name))
    told = stack.json("client", "rotate", name, "--hours", "1", "--json")
    assert old.submit(title="x").status_code == 200
    assert Api(stack.url, told["key"]).submit(title="x").status_code == 200
