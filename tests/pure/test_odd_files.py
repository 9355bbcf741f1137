"""Files that every browser shows: odd metadata, damage, and pictures behind the picture."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from PIL import Image

from tasks.images.containers import jpeg
from tasks.images.decode import PictureError
from tasks.images.pixels import jpeg_warnings
from tests.support import odd_pictures as odd
from tests.support.decoded import decoded
from tests.support.hostile import encoded, safe, with_png_chunk, with_segment
from tests.support.odd_parts import ANCILLARY_CHUNKS, SEGMENTS

FIXTURES = Path(__file__).parents[1] / "fixtures"
PADDING = b"\0\t\n\r \xff"
JPEG, PNG = encoded(safe(), "JPEG"), encoded(safe(), "PNG")
CAMERA = with_segment(
    encoded(safe().rotate(90), "JPEG"), 0xE1, b"Exif\0\0" + odd.tiff(1) + bytes(4000)
)


@pytest.mark.parametrize("name", ANCILLARY_CHUNKS)
def test_odd_ancillary_chunks_of_a_png_change_nothing(name: str) -> None:
    picture = decoded(with_png_chunk(PNG, ANCILLARY_CHUNKS[name]))
    assert picture.doubts == []
    assert picture.views[0].image.tobytes() == decoded(PNG).views[0].image.tobytes()


@pytest.mark.parametrize("name", SEGMENTS)
def test_odd_segments_of_a_jpeg_change_nothing(name: str) -> None:
    picture = decoded(SEGMENTS[name](JPEG))
    assert picture.doubts == []
    assert picture.frames == 1
    assert (picture.width, picture.height) == (256, 256)


def test_libjpeg_is_asked_for_its_warnings() -> None:
    """Pillow's wheels have it; without it a damaged JPEG is known by its markers alone."""
    assert jpeg_warnings.load() is not None
    assert jpeg_warnings.is_broken(jpeg.parse(JPEG).bare()) is False


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.jpg")), ids=lambda path: path.name)
def test_a_whole_jpeg_has_no_warnings(path: Path) -> None:
    assert jpeg_warnings.is_broken(jpeg.parse(path.read_bytes()).bare()) is False


def test_padding_before_the_end_marker_is_no_damage() -> None:
    assert decoded(JPEG[:-2] + bytes(40) + JPEG[-2:]).doubts == []
    assert decoded(JPEG[:-2] + b"\xab\xcd" * 20 + JPEG[-2:]).doubts


@pytest.mark.parametrize("progressive", [False, True])
def test_no_overwritten_byte_is_a_rejection_and_a_marker_goes_to_a_person(
    progressive: bool,
) -> None:
    whole = encoded(safe(), "JPEG", progressive=progressive)
    chance = random.Random(11)
    start = whole.index(b"\xff\xda") + 14
    for _ in range(60):
        data = bytearray(whole)
        at = chance.randrange(start, len(whole) - 400)
        if 0xFF in data[at - 1 : at + 2] or data[at + 1] == 0:
            continue
        data[at] = 0xFF
        try:
            assert decoded(bytes(data)).doubts or 0xD0 <= data[at + 1] <= 0xD7
        except PictureError as error:
            pytest.fail(f"{at}: {error}")
        data[at] = chance.randrange(255)
        decoded(bytes(data))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_png_that_is_broken_on_the_way_goes_to_a_person(share: float) -> None:
    """Small ones too: zlib gives nothing of a call that fails, not even what came before."""
    small = encoded(safe(96), "PNG")
    at = 60 + int(share * (len(small) - 90))
    broken = small[:at] + bytes([small[at] ^ 0x55, 0, 0xFF]) + small[at + 3 :]
    picture = decoded(broken)
    assert "the data end before the picture does" in picture.doubts
    assert picture.views[0].image.getpixel((9, 9)) == decoded(small).views[0].image.getpixel((9, 9))


def test_a_webp_that_a_browser_may_show_in_part_is_no_rejection() -> None:
    whole = encoded(safe(), "WEBP")
    with pytest.raises(PictureError) as caught:
        decoded(whole[: len(whole) // 2] + b"\xff" * (len(whole) - len(whole) // 2))
    assert caught.value.code == "damaged"


# --- Pictures behind pictures

BEHIND = {
    "jpeg": JPEG,
    "camera jpeg": CAMERA,
    "jpeg with a comment of 300 bytes": with_segment(JPEG, 0xFE, bytes(300)),
    "jpeg with a profile": odd.with_icc(JPEG, odd.profile() + bytes(60_000), 2),
    "png": PNG,
    "gif": encoded(safe(), "GIF"),
    "webp": encoded(safe(), "WEBP"),
    "avif": encoded(safe(), "AVIF", speed=10),
}


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
def test_a_picture_behind_the_picture_is_scored_as_a_frame(format: str, behind: str) -> None:
    first = encoded(Image.new("RGB", (64, 64), "white"), format)
    for gap in (b"", b"\0" * 77):
        picture = decoded(first + gap + BEHIND[behind])
        assert picture.frames == 2
        assert picture.doubts == []
        assert picture.views[0].image.getpixel((9, 9)) == (255, 255, 255)
        own = decoded(BEHIND[behind]).views[0].image
        assert picture.views[-1].image.tobytes() == own.tobytes()
        assert picture.views[-1].index == 1


def test_a_picture_behind_a_turned_one_turns_by_itself() -> None:
    lying = Image.linear_gradient("L").resize((64, 32)).convert("RGB")
    for first, second in ((6, 1), (1, 6), (8, 3), (5, 6)):
        jpegs = [odd.with_exif(encoded(lying, "JPEG"), odd.tiff(turn)) for turn in (first, second)]
        picture = decoded(jpegs[0] + jpegs[1])
        alone = [decoded(each).views[0].image.tobytes() for each in jpegs]
        assert [view.image.tobytes() for view in picture.views] == alone


def test_a_cut_picture_behind_the_picture_goes_to_a_person() -> None:
    assert decoded(JPEG + CAMERA[: len(CAMERA) // 2]).doubts
    assert decoded(JPEG + BEHIND["webp"][:-50]).doubts


@pytest.mark.parametrize(
    "trailer",
    [
        b"SEFT phone maker's trailer",
        b"\xff\xd8\xff but no picture " * 20,
        b"GIF89a, they said " * 40,
        b"RIFF1234WEBP no picture either",
        struct.pack(">I", 24) + b"ftypnone" + bytes(400),
    ],
)
def test_other_bytes_behind_the_picture_are_only_noted(trailer: bytes) -> None:
    picture = decoded(JPEG + trailer)
    assert picture.doubts == []
    assert picture.frames == 1
    assert picture.notes == [f"{len(trailer.strip(PADDING))} bytes after the end of the picture"]


def test_the_film_of_a_motion_photo_is_noted() -> None:
    picture = decoded(JPEG + odd.FILM)
    assert picture.doubts == []
    assert picture.notes == [f"a film of {len(odd.FILM)} bytes follows the end of the picture"]


def test_more_pictures_than_are_decoded_go_to_a_person() -> None:
    small = encoded(Image.new("RGB", (8, 8)), "JPEG")
    assert decoded(JPEG + small * 8).doubts == []
    assert decoded(JPEG + small * 9).doubts
