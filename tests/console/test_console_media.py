"""Pictures in the console: thumbnails to look at, originals to download, nothing for strangers."""

from __future__ import annotations

import io
import re

import PIL.Image
import pytest
import requests
from PIL.PngImagePlugin import PngInfo

from tests.support.api import PICTURES, unique
from tests.support.console import person


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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_shown_tells_nothing_of_where_it_was_taken(stack, api, ada, kind):
    """EXIF with a place, XMP and a comment go in; of them nothing is in what a browser gets."""
    exif, file = PIL.Image.Exif(), io.BytesIO()
    exif[0x010E] = "naughty-exif <script>"  # ImageDescription
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>naughty-xmp</x:xmpmeta>"
    text = PngInfo()
    text.add_text("Comment", "naughty-text")
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    more = {"PNG": {"pnginfo": text}, "JPEG": {"comment": b"naughty-text"}}.get(kind, {})
    picture = PIL.Image.open(PICTURES / "review_b.jpg")
    picture.save(file, kind, exif=exif, xmp=xmp, **more)
    assert b"naughty-exif" in file.getvalue() and b"naughty-xmp" in file.getvalue()
    told = api.decided(file.getvalue(), title="Somewhere")
    page = ada.get(f"/submissions/{told['job_id']}").text
    assert "naughty-" not in page
    paths = set(re.findall(r"/console(/media/[0-9a-f-]+/(?:thumbnail|heat))", page))
    assert paths
    for path in paths:
        reply = ada.get(path)
        shown = PIL.Image.open(io.BytesIO(reply.content))
        assert not shown.getexif() and not shown.info.get("xmp"), path
        for trace in (b"naughty", b"Exif", b"EXIF", b"xmp", b"GPS"):
            assert trace not in reply.content, (path, trace)


def test_an_original_is_a_download_that_no_browser_runs(ada, picture):
    reply = ada.get(f"{picture}/original")
    assert reply.headers["Content-Disposition"].startswith("attachment;")
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert reply.headers["Cache-Control"] == "no-store"


def test_an_original_to_zoom_into_is_an_image_and_never_a_page(stack, api, ada, picture):
    reply = ada.get(f"{picture}/view", headers={"Sec-Fetch-Dest": "image"})
    assert reply.status_code == 200 and reply.content[:2] == b"\xff\xd8"
    assert reply.headers["Content-Type"] == "image/jpeg"
    # `<img>` ignores it; a browser that names no destination (no HTTPS) downloads a page's original
    assert reply.headers["Content-Disposition"].startswith("attachment;")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert reply.headers["Cache-Control"] == "no-store"
    for destination in ("document", "iframe", "object", "embed", "script", "empty"):
        refused = ada.get(f"{picture}/view", headers={"Sec-Fetch-Dest": destination})
        assert refused.status_code == 404, destination


def test_only_still_pictures_that_were_read_are_enlarged(stack, api, ada):
    """An animation would play at once, and what the decoder refused is for no browser either."""
    told = api.decided("animated_bad_frame_17.gif", unique("review_a.jpg")[:200], title="Odd")
    ids = [
        row[0]
        for row in stack.sql(
            "SELECT id::text FROM image WHERE submission_id = %s ORDER BY position", told["job_id"]
        )
    ]
    page = ada.get(f"/submissions/{told['job_id']}").text
    for image_id in ids:
        assert ada.get(f"/media/{image_id}/view").status_code == 404
        assert f"/media/{image_id}/view" not in page


@pytest.mark.parametrize("kind", ["thumbnail", "original", "view"])
def test_strangers_get_neither(stack, picture, kind):
    reply = requests.get(f"{stack.url}/console{picture}/{kind}", allow_redirects=False)
    assert reply.status_code == 302
    assert requests.get(f"{stack.url}/_media/originals/x").status_code == 404


def test_viewers_get_no_originals(stack, picture):
    viewer = person(stack, "viewer")
    assert viewer.get(f"{picture}/original").status_code == 403
    assert viewer.get(f"{picture}/view").status_code == 403
