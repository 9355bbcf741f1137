"""Heatmaps and stills: drawn for those that a person looks at, served like thumbnails."""

from __future__ import annotations

import io
import re
from uuid import uuid4

import pytest
import requests
from PIL import Image

from tests.support.api import Api, eventually, unique
from tests.support.console import FRAGMENT, person


@pytest.fixture(scope="module")
def ada(stack):
    return person(stack)


def picture_of(console, job_id: str) -> str:
    text = console.get(f"/submissions/{job_id}").text
    return re.search(r"/console/media/([0-9a-f-]{36})/(?:thumbnail|frame)", text)[1]


def fragment(console, image_id: str) -> str:
    return console.get(f"/reviews/heat/{image_id}", headers=FRAGMENT).text


def test_a_heatmap_is_drawn_when_it_is_asked_for(ada, api):
    told = api.decided(unique("review_b.jpg"), title="Asked for")
    image_id = picture_of(ada, told["job_id"])
    assert ada.get(f"/media/{image_id}/heat").status_code == 404
    first = fragment(ada, image_id)
    assert "<img" in first or "load delay" in first  # only what waits asks again
    eventually(lambda: "<img" in fragment(ada, image_id))
    assert "hx-get" not in fragment(ada, image_id)
    reply = ada.get(f"/media/{image_id}/heat")
    assert reply.headers["Content-Type"] == "image/webp"
    layer = Image.open(io.BytesIO(reply.content))
    assert layer.mode == "RGBA" and layer.getextrema()[3][1] > 60  # it is hot somewhere


def test_what_is_claimed_is_drawn_ahead(stack, new_client):
    name = f"ahead-{uuid4().hex[:8]}"
    job_id = Api(stack.url, new_client(name)).decided(unique("review_c.jpg"))["job_id"]
    client = stack.sql("SELECT id FROM client WHERE name = %s", name)[0][0]
    drawn = "SELECT heat FROM image WHERE submission_id = %s"
    assert stack.sql(drawn, job_id) == [(False,)]
    assert len(person(stack).deck(f"?client={client}")) == 1
    eventually(lambda: stack.sql(drawn, job_id) == [(True,)])


def test_the_worst_frames_of_an_animation_are_drawn(ada, api, stack):
    told = api.decided("animated_bad_frame_17.gif", title="It moves")
    assert told["verdict"] == "review"
    (stills,) = stack.sql("SELECT stills FROM image WHERE submission_id = %s", told["job_id"])[0]
    scores = [score for _, score in stills]
    assert stills[0][0] == 17 and len(stills) == 5 and scores == sorted(scores, reverse=True)
    (evidence,) = stack.sql(
        "SELECT evidence FROM finding WHERE submission_id = %s AND \"check\" = 'classifier'",
        told["job_id"],
    )[0]
    assert evidence["frames_worst"] == stills
    page = ada.get(f"/submissions/{told['job_id']}").text
    assert re.search(r"frame 18<span[^>]*> of 24", page)
    image_id = picture_of(ada, told["job_id"])
    assert ada.get(f"/media/{image_id}/frame/17").content[8:12] == b"WEBP"
    assert ada.get(f"/media/{image_id}/frame/3").status_code == 404


def test_strangers_get_neither(stack, ada, api):
    image_id = picture_of(ada, api.decided(unique("review_a.jpg"), title="Mine")["job_id"])
    for path in (f"media/{image_id}/heat", f"media/{image_id}/frame/0", f"reviews/heat/{image_id}"):
        reply = requests.get(f"{stack.url}/console/{path}", allow_redirects=False)
        assert reply.status_code == 302


def test_a_picture_that_is_gone_has_no_heatmap(ada):
    gone = "00000000-0000-7000-8000-000000000000"
    assert ada.get(f"/reviews/heat/{gone}").status_code == 404
    assert ada.get(f"/media/{gone}/heat").status_code == 404
