"""The colours of an AVIF: of the right item or track, and of its stream where no box states any.

The expected values are those of Chromium 156; ``tests/browser/test_rendering.py`` compares again.
"""

from __future__ import annotations

import random
import struct

import pytest
from PIL import Image

from tasks.images import contents
from tasks.images.containers import av1, items, tracks
from tasks.images.decode import Picture, PictureError, accepted
from tests.support import odd_avifs as avif
from tests.support import odd_pictures as odd
from tests.support.decoded import decoded
from tests.support.hostile import animation

pytestmark = pytest.mark.skipif("AVIF" not in accepted(), reason="Pillow has none")
BROWN, LINEAR, SWAPPED, NEAR = (180, 120, 60), (219, 183, 133), (60, 120, 180), 6
SIZE = (64, 48)


def coded(size: tuple[int, int] = SIZE, mode: str = "RGB") -> avif.Item:
    return avif.coded(Image.new("RGB", size, BROWN).convert(mode))


def colours(picture: Picture) -> list[tuple[int, ...]]:
    """The colour of each view; the first is what browsers show."""
    return [view.image.getpixel((128, 128)) for view in picture.views]  # type: ignore[misc]


def assert_near(seen: list[tuple[int, ...]], *expected: tuple[int, ...]) -> None:
    assert len(seen) == len(expected), seen
    for one, other in zip(seen, expected, strict=True):
        assert all(abs(a - b) <= NEAR for a, b in zip(one, other, strict=True)), seen


@pytest.mark.parametrize(
    ("points", "expected"),
    [((1, 8), LINEAR), ((1, 13), BROWN), ((2, 2), BROWN), ((1, 1), BROWN), ((2, 8), LINEAR)],
)
def test_the_colours_of_the_stream_count_where_no_box_states_any(
    points: tuple[int, int], expected: tuple[int, ...]
) -> None:
    assert_near(colours(decoded(avif.file_of(coded().stating(*points)))), expected)


def test_a_box_overrides_the_stream() -> None:
    item = coded().stating(1, 8)
    assert_near(colours(decoded(avif.file_of(item.having(avif.nclx(1, 13))))), BROWN)
    assert_near(colours(decoded(avif.file_of(item.having(avif.icc(odd.swapped()))))), SWAPPED)


def test_a_broken_profile_leaves_both_readings() -> None:
    item = coded().stating(1, 8).having(avif.icc(b"x" * 200))
    assert_near(colours(decoded(avif.file_of(item))), BROWN, LINEAR)


def test_a_box_of_another_item_does_not_count() -> None:
    item = coded().stating(1, 8)
    other = avif.file_of(item, coded().having(avif.nclx(1, 13)))
    assert_near(colours(decoded(other)), LINEAR)
    alpha = avif.coded(Image.new("L", SIZE, 255)).having(avif.ALPHA, avif.nclx(1, 13))
    with_alpha = avif.file_of(item, alpha, references=((b"auxl", 2, (1,)),))
    assert_near(colours(decoded(with_alpha)), LINEAR)


def test_a_grid_has_the_colours_of_its_own_box_or_of_its_tiles_stream() -> None:
    tile, size = coded((64, 64)), (128, 64)
    assert_near(colours(decoded(avif.grid_of(tile, tile, size, avif.nclx(1, 8)))), LINEAR)
    linear = tile.stating(1, 8)
    assert_near(colours(decoded(avif.grid_of(linear, linear, size))), LINEAR)
    boxed = tile.having(avif.nclx(1, 8))
    # libavif does not look at the tiles' boxes, newer browsers do.
    assert_near(colours(decoded(avif.grid_of(boxed, boxed, size))), LINEAR, BROWN)


def film() -> bytes:
    return animation([Image.new("RGB", SIZE, BROWN)] * 2, "AVIF", quality=95, speed=10)


@pytest.mark.parametrize("matrix", [10, 13])
def test_colours_that_cannot_be_converted_go_to_a_person(matrix: int) -> None:
    """Browsers show such a picture in nearly its colours."""
    with pytest.raises(PictureError) as caught:
        decoded(avif.file_of(coded().having(avif.nclx(1, 13, matrix))))
    assert caught.value.code == "damaged"


def test_an_animation_has_the_colours_of_its_stream() -> None:
    data = film()
    at = data.index(b"mdat") + 4
    silent = data[:at].replace(b"colr", b"free") + avif.with_stream_colours(data[at:], 1, 8)
    assert_near(colours(decoded(silent)), LINEAR)


@pytest.mark.parametrize(("brand", "first"), [(b"avif", LINEAR), (b"avis", BROWN)])
def test_an_animation_and_a_picture_of_other_colours_are_both_scored(
    brand: bytes, first: tuple[int, ...]
) -> None:
    data = film().replace(b"colrnclx\0\1\0\x0d", b"colrnclx\0\1\0\x08", 1)  # the picture's
    seen = colours(decoded(data[:8] + brand + data[12:]))
    assert_near(seen, first, *({BROWN, LINEAR} - {first}))


def test_an_animation_and_a_picture_that_are_cropped_differently_go_to_a_person() -> None:
    data = odd.with_properties(film(), odd.clap((32, 1), (24, 1), (0, 1), (0, 1)))
    assert any("cropped differently" in doubt for doubt in decoded(data).doubts)


@pytest.mark.parametrize(("padding", "views"), [(100, 1), (4000, 1), (5000, 2)])
def test_a_header_behind_padding_is_found(padding: int, views: int) -> None:
    """Browsers search 4 KB; behind them some viewers find it."""
    item = coded().stating(1, 8)
    packed = bytes([0x7A, padding & 127 | 128, padding >> 7]) + bytes(padding)
    body = item.body[:2] + packed + item.body[2:]
    data = avif.file_of(avif.Item(b"av01", body, item.properties))
    seen = colours(decoded(data))
    assert_near(seen, *([LINEAR] if views == 1 else [BROWN, LINEAR]))


@pytest.mark.parametrize("bright", [False, True])
def test_a_gain_map_is_scored_and_one_that_plain_screens_apply_goes_to_a_person(
    bright: bool,
) -> None:
    gain = avif.coded(Image.new("RGB", SIZE, "white")).having(avif.nclx(2, 2))
    base = coded().having(avif.nclx(1, 13))
    picture = decoded(avif.with_gain_map(base, gain, base_is_bright=bright))
    assert_near(colours(picture), BROWN, (255, 255, 255))
    assert picture.views[1].index == 1
    assert bool(picture.doubts) is bright


# --- The sequence header, bit by bit

Bits = list[tuple[int, int]]  # value, width
PLAIN = ([(0, 1)], [(0, 1)])  # no timing, no delays of display
POINT: Bits = [(0, 12), (0, 5)]
TOOLS: Bits = [(0, 3), (0, 4), (0, 1), (1, 1), (1, 1), (0, 3)]


def sequence_header(
    timing: Bits, display: Bits, points: Bits, tools: Bits = TOOLS, colours: Bits | None = None
) -> bytes:
    """A whole OBU of the kind that animations have; 8 bits, 4:2:0."""
    stated = colours or [(1, 1), (9, 8), (16, 8), (9, 8), (1, 1), (0, 2), (0, 1)]
    fields = [(0, 3), (0, 2), *timing, *display, *points]
    fields += [(5, 4), (5, 4), (63, 6), (47, 6), (0, 1), *tools, (0, 1), (0, 1), *stated, (0, 1)]
    value, width = 0, 0
    for number, size in fields:
        value, width = value << size | number, width + size
    body = (value << -width % 8).to_bytes((width + 7) // 8, "big")
    return bytes([0x0A, len(body)]) + body


HEADERS = {
    "plain": sequence_header(*PLAIN, [(0, 5), *POINT]),
    "many operating points": sequence_header(*PLAIN, [(31, 5), *[(0, 12), (9, 5), (1, 1)] * 32]),
    "timing": sequence_header(
        [(1, 1), (1, 32), (25, 32), (1, 1), (1, 4), (3, 3), (0, 1)], [(0, 1)], [(0, 5), *POINT]
    ),
    "decoder model and delays": sequence_header(
        [(1, 1), (1, 32), (25, 32), (0, 1), (1, 1), (9, 5), (1, 32), (0, 10)],
        [(1, 1)],
        [(0, 5), *POINT, (1, 1), (7, 10), (7, 10), (1, 1), (1, 1), (3, 4)],
    ),
    "all tools": sequence_header(
        *PLAIN,
        [(0, 5), *POINT],
        [(7, 3), (15, 4), (1, 1), (3, 2), (0, 1), (1, 1), (0, 1), (1, 1), (6, 3), (7, 3)],
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_sequence_header_of_any_form_is_read(name: str) -> None:
    delimiter, padding = b"\x12\0", b"\x7a\3abc"
    assert av1.code_points(delimiter + HEADERS[name]) == (9, 16)
    assert av1.code_points(delimiter + padding + HEADERS[name] + b"more") == (9, 16)
    assert av1.code_points(HEADERS[name][:-1]) is None, "cut"


def test_a_header_without_colours_says_so_and_others_are_none() -> None:
    silent = sequence_header(*PLAIN, [(0, 5), *POINT], colours=[(0, 1), (1, 1), (0, 2), (0, 1)])
    assert av1.code_points(silent) == (av1.UNSPECIFIED, av1.UNSPECIFIED)
    for broken in (b"", b"\x80", b"\x12", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\0" * 99):
        assert av1.code_points(broken) is None


def test_a_file_of_more_entries_than_are_looked_at_goes_to_a_person() -> None:
    """Else the colours of the picture could stand behind them."""
    whole = avif.file_of(coded().having(avif.nclx(1, 8)))
    entries = struct.pack(">II", 0, 50_000) + b"".join(
        struct.pack(">HB", number, 0) for number in range(9, 50_009)
    )
    at, meta = whole.index(b"iprp") - 4, whole.index(b"meta") - 4
    for more in (odd.box(b"ipma", entries), odd.box(b"free") * 5000):
        data = bytearray(_grown(whole, at, more))
        length = int.from_bytes(data[meta : meta + 4], "big")
        struct.pack_into(">I", data, meta, length + len(more))
        its = contents.read("AVIF", bytes(data), len(data))
        assert its.doubts == ["it has too many boxes to be looked at"]


def _grown(data: bytes, at: int, more: bytes) -> bytes:
    """The file with more bytes at the end of the box at `at`, whose length grows."""
    length = int.from_bytes(data[at : at + 4], "big")
    head = struct.pack(">I", length + len(more)) + data[at + 4 : at + length]
    return data[:at] + head + more + data[at + length :]


def test_no_bytes_break_the_parsers() -> None:
    grid = avif.grid_of(coded((64, 64)), coded((64, 64)), (128, 64))
    gain = avif.with_gain_map(coded(), coded())
    chance = random.Random(3)
    for whole in (film(), grid, gain, *HEADERS.values()):
        for _ in range(300):
            data = bytearray(
                whole[: chance.randrange(len(whole))] if chance.random() < 0.3 else whole
            )
            for _ in range(chance.randint(1, 8) if data else 0):
                data[chance.randrange(min(len(data), 900))] = chance.choice((0, 1, 127, 255))
            its = bytes(data)
            for each in (*items.properties(its), *tracks.properties(its)):
                assert each.code_points is None or max(each.code_points) < 1 << 16
            items.gain_map(its)
            av1.code_points(its)
