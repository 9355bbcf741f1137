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


@pytest.mark.parametrize("kind", ["thumbnail", "original"])
def test_strangers_get_neither(stack, picture, kind):
    reply = requests.get(f"{stack.url}/console{picture}/{kind}", allow_redirects=False)
    assert reply.status_code == 302
    assert requests.get(f"{stack.url}/_media/originals/x").status_code == 404


def test_viewers_get_no_originals(stack, picture):
    assert person(stack, "viewer").get(f"{picture}/original").status_code == 403
