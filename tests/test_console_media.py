"""Pictures in the console: thumbnails to look at, originals to download, nothing for strangers."""

from __future__ import annotations

import re

import pytest
import requests

from tests.api import unique
from tests.console import person


@pytest.fixture(scope="module")
def ada(stack):
    return person(stack)


@pytest.fixture
def picture(api, ada) -> str:
    """The path of a picture below /console/media, without what is wanted of it."""
    told = api.decided(unique("review_b.jpg"), title="Picture")
    text = ada.get(f"/submissions/{told['job_id']}").text
    return re.search(r"/console(/media/[0-9a-f-]+)/thumbnail", text)[1]


def test_a_thumbnail_is_a_webp_made_anew(ada, picture):
    reply = ada.get(f"{picture}/thumbnail")
    assert reply.headers["Content-Type"] == "image/webp"
    assert reply.content[8:12] == b"WEBP"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert b"Exif" not in reply.content


def test_an_original_is_a_download_that_no_browser_runs(ada, picture):
    reply = ada.get(f"{picture}/original")
    assert reply.headers["Content-Disposition"].startswith("attachment;")
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("kind", ["thumbnail", "original"])
def test_strangers_get_neither(stack, picture, kind):
    reply = requests.get(f"{stack.url}/console{picture}/{kind}", allow_redirects=False)
    assert reply.status_code == 302
    assert requests.get(f"{stack.url}/_media/originals/x").status_code == 404


def test_viewers_get_no_originals(stack, picture):
    assert person(stack, "viewer").get(f"{picture}/original").status_code == 403
