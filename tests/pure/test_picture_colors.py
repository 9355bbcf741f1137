"""What a browser paints is what is scored: colours, orientation, crop and the transparent colour.

The expected values are those of Chromium 156; ``tests/browser/test_rendering.py`` compares again.
"""

from __future__ import annotations

import struct
import zlib

import pytest
from PIL import Image

from tasks.images.decode import Limits, Picture, accepted, frame_previews
from tests.support import odd_pictures as odd
from tests.support.decoded import as_file, decoded
from tests.support.hostile import chunk, encoded, png, with_png_chunk
from tests.support.odd_parts import COLOUR_CHUNKS, EXIF
from tests.support.rendering import apngs

BROWN, LINEAR, SWAPPED = (180, 120, 60), (219, 183, 133), (60, 120, 180)
NEAR = 3  # levels
needs_avif = pytest.mark.skipif("AVIF" not in accepted(), reason="Pillow has none")


def flat(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new("RGB", size, BROWN).convert(mode)


def first_colour(picture: Picture) -> tuple[int, ...]:
    """The colour of the first view, which is what browsers show."""
    return picture.views[0].image.getpixel((128, 128))  # type: ignore[return-value]


def is_near(colour: tuple[int, ...], expected: tuple[int, ...], levels: int = NEAR) -> bool:
    return all(abs(one - other) <= levels for one, other in zip(colour, expected, strict=True))


PNG = encoded(flat(), "PNG")
PNG_COLOURS = {
    "gamma of 1": LINEAR,
    "gamma of sRGB": BROWN,
    "gamma of 0": BROWN,
    "extreme gamma": (116, 42, 2),
    "gamma with a wrong checksum": BROWN,
    "sRGB before gamma": BROWN,
    "an empty sRGB": LINEAR,
    "sRGB of an unknown intent": LINEAR,
    "sRGB with a wrong checksum": LINEAR,
    "primaries without a gamma": BROWN,
    "primaries and gamma": (57, 121, 181),
    "primaries of sRGB and gamma": BROWN,
    "profile": SWAPPED,
    "profile before sRGB": SWAPPED,
    "profile of another method": BROWN,
    "profile with a wrong checksum": BROWN,
    "broken profile, then gamma": LINEAR,
    "code points of sRGB": BROWN,
    "linear code points": LINEAR,
    "code points of Display P3": (190, 117, 45),
    "code points of television": (176, 113, 49),
    "code points of PQ": (255, 0, 0),
    "unknown code points": BROWN,
}


def test_every_odd_colour_has_an_expected_one() -> None:
    assert PNG_COLOURS.keys() == COLOUR_CHUNKS.keys()


@pytest.mark.parametrize("name", PNG_COLOURS)
def test_a_png_is_scored_in_the_colours_that_browsers_show(name: str) -> None:
    expected = PNG_COLOURS[name]
    picture = decoded(with_png_chunk(PNG, COLOUR_CHUNKS[name]))
    assert is_near(first_colour(picture), expected), first_colour(picture)
    assert picture.doubts == []
    shown = picture.preview.getpixel((10, 10))
    assert is_near(shown, expected)  # type: ignore[arg-type]


FORMATS = ["PNG", "JPEG", "WEBP", pytest.param("AVIF", marks=needs_avif)]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("icc", "expected"),
    [
        (odd.profile(), BROWN),
        (odd.swapped(), SWAPPED),
        (odd.profile(gamma=1.0), LINEAR),
        (odd.profile(gamma=1.0, kind=b"prtr"), LINEAR),
        (odd.profile(gamma=1.0, kind=b"link"), LINEAR),
        (odd.profile(odd.P3), (191, 118, 41)),
        (odd.profile(space=b"GRAY", gamma=1.0), BROWN),
        (odd.profile(gamma=1.0)[:-40], BROWN),
    ],
    ids=["sRGB", "swapped", "linear", "printer", "link", "P3", "grey", "cut"],
)
def test_a_profile_is_applied_as_browsers_do(
    format: str, icc: bytes, expected: tuple[int, ...]
) -> None:
    picture = decoded(odd.coloured(flat(), format, icc))
    assert is_near(first_colour(picture), expected, 6), first_colour(picture)
    assert picture.doubts == []


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("icc", [odd.profile(space=b"GRAY", gamma=1.0), odd.profile(gamma=1.0)])
def test_a_grey_picture_takes_grey_and_colour_profiles(format: str, icc: bytes) -> None:
    assert is_near(first_colour(decoded(odd.coloured(flat("L"), format, icc))), (190, 190, 190))


@pytest.mark.parametrize("mode", ["P", "LA", "RGBA", "I;16"])
def test_every_mode_of_png_is_converted(mode: str) -> None:
    image = flat("RGBA")
    image.putalpha(Image.new("L", image.size, 255))
    image.putpixel((0, 0), (*BROWN, 0))
    if mode == "I;16":
        image = flat("L").convert("I").point(lambda level: level * 257).convert("I;16")
    else:
        image = image.quantize(8) if mode == "P" else image.convert(mode)
    expected = LINEAR if mode in ("P", "RGBA") else (190, 190, 190)
    data = with_png_chunk(encoded(image, "PNG"), odd.gama(100_000))
    assert is_near(first_colour(decoded(data)), expected, 6)


def test_a_profile_that_only_some_viewers_read_is_scored_both_ways() -> None:
    version_5 = odd.profile(gamma=1.0, version=b"\x05\0\0\0")
    picture = decoded(odd.coloured(flat(), "PNG", version_5))
    colours = [view.image.getpixel((9, 9)) for view in picture.views]
    assert colours[0] == BROWN
    assert is_near(colours[1], LINEAR)  # type: ignore[arg-type]


def test_colours_of_high_dynamic_range_are_scored_both_ways() -> None:
    picture = decoded(with_png_chunk(PNG, chunk(b"cICP", b"\x09\x10\0\x01")))
    assert BROWN in [view.image.getpixel((9, 9)) for view in picture.views]


@pytest.mark.parametrize(
    ("transfer", "shown"),
    [(16, {16: 1, 64: 30, 128: 132, 192: 255}), (18, {16: 3, 64: 43, 128: 99, 192: 189})],
    ids=["PQ", "HLG"],
)
def test_greys_of_high_dynamic_range_are_mapped_as_browsers_do(
    transfer: int, shown: dict[int, int]
) -> None:
    for level, expected in shown.items():
        grey = encoded(Image.new("RGB", (32, 32), (level,) * 3), "PNG")
        picture = decoded(with_png_chunk(grey, chunk(b"cICP", bytes([9, transfer, 0, 1]))))
        assert is_near(first_colour(picture), (expected,) * 3)


@pytest.mark.parametrize(
    ("points", "shown"),
    [((9, 16), (0, 120, 0)), ((1, 16), (30, 114, 26)), ((9, 18), (0, 94, 36))],
)
@pytest.mark.parametrize("size", [(32, 32), (1200, 900)])
def test_colours_of_high_dynamic_range_are_mapped_as_browsers_do(
    points: tuple[int, int], shown: tuple[int, ...], size: tuple[int, int]
) -> None:
    image = encoded(Image.new("RGB", size, (64, 120, 60)), "PNG")
    picture = decoded(with_png_chunk(image, chunk(b"cICP", bytes([*points, 0, 1]))))
    assert is_near(first_colour(picture), shown)
    assert is_near(picture.preview.getpixel((9, 9)), shown)  # type: ignore[arg-type]


@pytest.mark.parametrize("primaries", [odd.CHRM_SRGB, odd.CHRM_SWAPPED])
def test_a_gamma_near_that_of_srgb_is_its_own_beside_primaries(primaries: bytes) -> None:
    dark = encoded(Image.new("RGB", (32, 32), (16, 16, 16)), "PNG")
    with_gamma = with_png_chunk(dark, odd.gama(45_455))
    assert first_colour(decoded(with_gamma)) == (16, 16, 16)
    assert is_near(first_colour(decoded(with_png_chunk(with_gamma, primaries))), (7, 7, 7))


def test_a_profile_of_another_kind_goes_to_a_person() -> None:
    """Chromium takes a profile from Lab for a PNG; nobody can tell what is meant."""
    picture = decoded(odd.coloured(flat(), "PNG", odd.profile(space=b"Lab ")))
    assert picture.doubts == ["its colour profile cannot be applied"]


@pytest.mark.parametrize("pieces", [1, 2, 7])
@pytest.mark.parametrize("backwards", [False, True])
def test_the_segments_of_a_jpegs_profile_are_joined(pieces: int, backwards: bool) -> None:
    data = odd.with_icc(encoded(flat(), "JPEG"), odd.swapped(), pieces, backwards=backwards)
    assert is_near(first_colour(decoded(data)), SWAPPED, 5)


def test_an_incomplete_profile_is_ignored() -> None:
    data = odd.with_icc(encoded(flat(), "JPEG"), odd.swapped(), 2)
    at = data.index(b"ICC_PROFILE\0\1")
    length = int.from_bytes(data[at - 2 : at], "big")
    assert is_near(first_colour(decoded(data[: at - 4] + data[at - 2 + length :])), BROWN)


def test_a_profile_that_a_webp_does_not_announce_is_scored_both_ways() -> None:
    data = bytearray(odd.coloured(flat(), "WEBP", odd.swapped()))
    data[20] &= ~0x20
    colours = [view.image.getpixel((9, 9)) for view in decoded(bytes(data)).views]
    assert colours[0] == BROWN
    assert is_near(colours[1], SWAPPED)  # type: ignore[arg-type]


@needs_avif
def test_the_code_points_of_an_avif_are_applied() -> None:
    data = encoded(flat(), "AVIF", quality=95, speed=10)
    assert is_near(first_colour(decoded(data)), BROWN)
    assert is_near(first_colour(decoded(odd.with_code_points(data, 1, 8))), LINEAR)
    assert is_near(first_colour(decoded(odd.with_code_points(data, 1, 1))), BROWN)


def test_a_large_photo_is_converted_after_it_is_shrunk() -> None:
    data = odd.coloured(flat(size=(1300, 900)), "JPEG", odd.profile(odd.P3))
    picture = decoded(data)
    expected = (191, 118, 41)
    assert is_near(first_colour(picture), expected)
    assert is_near(picture.preview.getpixel((9, 9)), expected)  # type: ignore[arg-type]
    with as_file(data) as file:
        drawn = frame_previews(file, [0], Limits())[0]
    assert is_near(drawn.getpixel((9, 9)), expected)  # type: ignore[arg-type]


# --- Orientation

TALL, WIDE = (32, 64), (64, 32)
ORIENTATIONS = {
    "SHORT": (TALL, 1),
    "little-endian": (TALL, 1),
    "behind fill bytes": (TALL, 1),
    "after Exif 0 1": (TALL, 1),
    "LONG": (WIDE, 2),
    "SLONG": (WIDE, 2),
    "SSHORT": (WIDE, 2),
    "FLOAT": (WIDE, 2),
    "DOUBLE": (WIDE, 2),
    "BYTE": (WIDE, 2),
    "count of 2": (WIDE, 2),
    "value of 9": (WIDE, 1),
    "first block turns": (TALL, 2),
    "second block turns": (WIDE, 2),
    "second of a broken one": (WIDE, 2),
}


def test_every_odd_orientation_has_an_expected_size() -> None:
    assert ORIENTATIONS.keys() == EXIF.keys()


def lying(size: tuple[int, int] = WIDE) -> Image.Image:
    """A picture that looks different when it is turned."""
    return Image.linear_gradient("L").resize(size).convert("RGB")


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_a_jpeg_turns_as_browsers_turn_it(name: str) -> None:
    size, views = ORIENTATIONS[name]
    picture = decoded(EXIF[name](encoded(lying(), "JPEG")))
    assert (picture.width, picture.height) == size
    assert len(picture.views) == views


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (with_png_chunk(encoded(lying(), "PNG"), chunk(b"eXIf", odd.tiff(6))), TALL),
        (with_png_chunk(encoded(lying(), "PNG"), odd.broken(chunk(b"eXIf", odd.tiff(6)))), WIDE),
        (encoded(lying(), "PNG")[:-12] + chunk(b"eXIf", odd.tiff(6)) + chunk(b"IEND", b""), WIDE),
        (encoded(lying(), "WEBP", lossless=True, exif=odd.tiff(6)), WIDE),
    ],
    ids=["before the data", "wrong checksum", "behind the data", "webp"],
)
def test_what_viewers_turn_differently_is_scored_both_ways(
    data: bytes, size: tuple[int, int]
) -> None:
    picture = decoded(data)
    assert (picture.width, picture.height) == size
    assert len(picture.views) == 2


# --- The crop of an AVIF


@needs_avif
@pytest.mark.parametrize(
    ("crop", "size"),
    [
        (odd.clap((32, 1), (24, 1), (-16, 1), (-12, 1)), (32, 24)),
        (odd.clap((32, 1), (24, 1), (-15, 1), (-12, 1)), (64, 48)),
        (odd.clap((31, 1), (23, 1), (-33, 2), (-25, 2)), (31, 23)),
        (odd.clap((63, 2), (24, 1), (-16, 1), (-12, 1)), (64, 48)),
        (odd.clap((64, 1), (48, 1), (10, 1), (0, 1)), (64, 48)),
        (odd.clap((32, 0), (24, 1), (0, 1), (0, 1)), (64, 48)),
    ],
    ids=[
        "whole pixels",
        "not at the corner",
        "odd pixels",
        "half pixels",
        "outside",
        "of zero parts",
    ],
)
def test_an_avif_is_cropped_as_browsers_crop_it(crop: bytes, size: tuple[int, int]) -> None:
    image = flat()
    image.paste((20, 180, 60), (0, 0, 32, 24))
    picture = decoded(odd.with_properties(encoded(image, "AVIF", quality=95, speed=10), crop))
    assert (picture.width, picture.height) == size == picture.preview.size
    corner = picture.views[0].image.getpixel((128, 128) if size < (64, 48) else (250, 250))
    assert is_near(corner, (20, 180, 60) if size < (64, 48) else BROWN, 6)  # type: ignore[arg-type]


@needs_avif
@pytest.mark.parametrize("left", [-16, -14, 0])
def test_a_crop_is_scored_both_ways(left: int) -> None:
    """Browsers apply one at the corner alone, others show what they leave out."""
    image = flat()
    image.paste((20, 180, 60), (16 + left, 0, 48 + left, 24))
    crop = odd.clap((32, 1), (24, 1), (left, 1), (-12, 1))
    picture = decoded(odd.with_properties(encoded(image, "AVIF", quality=95, speed=10), crop))
    whole, part = (view.image for view in picture.views[:: 1 if left > -16 else -1])
    assert is_near(part.getpixel((128, 128)), (20, 180, 60), 6)  # type: ignore[arg-type]
    assert is_near(whole.getpixel((128, 250)), BROWN, 6)  # type: ignore[arg-type]
    assert picture.doubts == []


# --- The transparent colour of a PNG


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_the_transparent_grey_is_compared_in_the_depth_of_the_samples(depth: int) -> None:
    """The left half has the transparent value, the right half the next lower one."""
    top = (1 << depth) - 1
    bits = "".join(f"{value:0{depth}b}" for value in [top] * 8 + [top - 1] * 8)
    row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    key = chunk(b"tRNS", struct.pack(">H", top))
    picture = decoded(png(16, 16, zlib.compress(row * 16), key, depth=depth))
    on_black = picture.views[1].image
    assert on_black.getpixel((20, 128)) == (0, 0, 0)
    grey = 255 * (top - 1) // top if depth < 16 else 255
    assert picture.views[0].image.getpixel((230, 128)) == (grey, grey, grey)
    assert on_black.getpixel((230, 128)) == (grey, grey, grey)


@pytest.mark.parametrize("colour", [apngs.GREY, apngs.RGB])
def test_the_transparent_colour_of_a_frame_is_compared_in_all_bits(colour: int) -> None:
    """The first frame differs from the transparent colour in its low byte alone."""
    channels, parts = apngs.CHANNELS[colour], []
    for low in (8, 7):
        row = struct.pack(">H", 0x3000 | low) * channels * 48
        parts.append(apngs.ApngPart(0, 0, 48, 32, row * 32, in_idat=not parts))
    key = chunk(b"tRNS", struct.pack(">H", 0x3007) * channels)
    head = apngs.head(colour, 16) + key + apngs.actl(2)
    views = decoded(head + apngs.body(parts, apngs.counted()) + apngs.END).views
    found = {(view.index, view.image.getpixel((128, 128))) for view in views}
    assert found == {(0, (48,) * 3), (1, (255,) * 3), (1, (0,) * 3)}


@pytest.mark.parametrize("depth", [8, 16])
def test_the_transparent_colour_is_compared_in_all_bits(depth: int) -> None:
    layout = ">3H" if depth == 16 else ">3B"
    seen = (300, 200, 100) if depth == 16 else (30, 200, 100)
    row = b"\0" + struct.pack(layout, *seen) * 8 + struct.pack(layout, seen[0] + 1, *seen[1:]) * 8
    key = chunk(b"tRNS", struct.pack(">3H", *seen))
    picture = decoded(png(16, 16, zlib.compress(row * 16), key, depth=depth, kind=2))
    left, right = (picture.views[0].image.getpixel((x, 128)) for x in (20, 230))
    assert left == (255, 255, 255)
    assert right == ((1, 0, 0) if depth == 16 else (31, 200, 100))
