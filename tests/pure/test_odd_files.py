"""Files that every browser shows: odd metadata, damage, and pictures behind the picture."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tasks.images.containers import jpeg
from tasks.images.decode import Limits, Picture, PictureError, read
from tasks.images.pixels import jpeg_warnings
from tests.support import odd_pictures as odd
from tests.support.hostile import chunk, encoded, safe, with_png_chunk, with_segment

FIXTURES = Path(__file__).parents[1] / "fixtures"
PADDING = b"\0\t\n\r \xff"
Look = Callable[[bytes], Picture]
JPEG, PNG = encoded(safe(), "JPEG"), encoded(safe(), "PNG")
CAMERA = with_segment(
    encoded(safe().rotate(90), "JPEG"), 0xE1, b"Exif\0\0" + odd.tiff(1) + bytes(4000)
)


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Decodes bytes."""

    def look(data: bytes) -> Picture:
        path = tmp_path / "picture"
        path.write_bytes(data)
        return read(path, Limits())

    return look


ANCILLARY = {
    "profile of method 1": odd.iccp(odd.profile(), method=1),
    "empty sRGB": chunk(b"sRGB", b""),
    "short gAMA": chunk(b"gAMA", b"\0"),
    "text without a name": chunk(b"tEXt", b""),
    "compressed text of an unknown method": chunk(b"zTXt", b"a\0\x07xyz"),
    "short time": chunk(b"tIME", b"\0\1"),
    "short pHYs": chunk(b"pHYs", b"\0"),
    "5 MB of text": chunk(b"tEXt", b"a\0" + b"b" * (5 << 20)),
    "broken EXIF": chunk(b"eXIf", b"nonsense"),
    "an animation of no frames": chunk(b"acTL", bytes(8)),
}
KINDS = (b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"pHYs", b"gAMA", b"sRGB", b"bKGD")
ANCILLARY |= {
    f"{kind.decode()} with a wrong checksum": odd.broken(chunk(kind, bytes(4))) for kind in KINDS
}


@pytest.mark.parametrize("name", ANCILLARY)
def test_odd_ancillary_chunks_of_a_png_change_nothing(look: Look, name: str) -> None:
    picture = look(with_png_chunk(PNG, ANCILLARY[name]))
    assert picture.doubts == []
    assert picture.views[0].image.tobytes() == look(PNG).views[0].image.tobytes()


SEGMENTS = {
    "a short Adobe marker": with_segment(JPEG, 0xEE, b"Adobe\0d"),
    "a short JFIF": with_segment(JPEG, 0xE0, b"JFIF\0"),
    "a broken multi-picture index": with_segment(JPEG, 0xE2, b"MPF\0II*\0\xff\xff\xff\x7f"),
    "a stale multi-picture index": encoded(safe(), "MPO", save_all=True, append_images=[safe()]),
    "a cut EXIF": with_segment(JPEG, 0xE1, b"Exif\0\0MM"),
    "an impossible length": JPEG[:2] + b"\xff\xe5\0\1" + JPEG[2:],
    "fill bytes": JPEG[:2] + b"\xff" * 5 + JPEG[2:],
    "a phone maker's trailer": JPEG + b"SEFT phone maker's trailer",
    "a broken Photoshop block": with_segment(JPEG, 0xED, b"Photoshop 3.0\x008BIM\x03\xed\xff"),
}
SEGMENTS["a stale multi-picture index"] = SEGMENTS["a stale multi-picture index"][
    : jpeg.parse(SEGMENTS["a stale multi-picture index"]).end
]


@pytest.mark.parametrize("name", SEGMENTS)
def test_odd_segments_of_a_jpeg_change_nothing(look: Look, name: str) -> None:
    picture = look(SEGMENTS[name])
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


def test_padding_before_the_end_marker_is_no_damage(look: Look) -> None:
    assert look(JPEG[:-2] + bytes(40) + JPEG[-2:]).doubts == []
    assert look(JPEG[:-2] + b"\xab\xcd" * 20 + JPEG[-2:]).doubts


@pytest.mark.parametrize("progressive", [False, True])
def test_no_overwritten_byte_is_a_rejection_and_a_marker_goes_to_a_person(
    look: Look, progressive: bool
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
            assert look(bytes(data)).doubts or 0xD0 <= data[at + 1] <= 0xD7
        except PictureError as error:
            pytest.fail(f"{at}: {error}")
        data[at] = chance.randrange(255)
        look(bytes(data))


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
def test_a_picture_behind_the_picture_is_scored_as_a_frame(
    look: Look, format: str, behind: str
) -> None:
    first = encoded(Image.new("RGB", (64, 64), "white"), format)
    for gap in (b"", b"\0" * 77):
        picture = look(first + gap + BEHIND[behind])
        assert picture.frames == 2
        assert picture.doubts == []
        assert picture.views[0].image.getpixel((9, 9)) == (255, 255, 255)
        own = look(BEHIND[behind]).views[0].image
        assert picture.views[-1].image.tobytes() == own.tobytes()
        assert picture.views[-1].index == 1


def test_a_picture_behind_a_turned_one_turns_by_itself(look: Look) -> None:
    lying = Image.linear_gradient("L").resize((64, 32)).convert("RGB")
    for first, second in ((6, 1), (1, 6), (8, 3), (5, 6)):
        jpegs = [odd.with_exif(encoded(lying, "JPEG"), odd.tiff(turn)) for turn in (first, second)]
        picture = look(jpegs[0] + jpegs[1])
        alone = [look(each).views[0].image.tobytes() for each in jpegs]
        assert [view.image.tobytes() for view in picture.views] == alone


def test_a_cut_picture_behind_the_picture_goes_to_a_person(look: Look) -> None:
    assert look(JPEG + CAMERA[: len(CAMERA) // 2]).doubts
    assert look(JPEG + BEHIND["webp"][:-50]).doubts


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
def test_other_bytes_behind_the_picture_are_only_noted(look: Look, trailer: bytes) -> None:
    picture = look(JPEG + trailer)
    assert picture.doubts == []
    assert picture.frames == 1
    assert picture.notes == [f"{len(trailer.strip(PADDING))} bytes after the end of the picture"]


def test_the_film_of_a_motion_photo_is_noted(look: Look) -> None:
    picture = look(JPEG + odd.FILM)
    assert picture.doubts == []
    assert picture.notes == [f"a film of {len(odd.FILM)} bytes follows the end of the picture"]


def test_more_pictures_than_are_decoded_go_to_a_person(look: Look) -> None:
    small = encoded(Image.new("RGB", (8, 8)), "JPEG")
    assert look(JPEG + small * 8).doubts == []
    assert look(JPEG + small * 9).doubts
