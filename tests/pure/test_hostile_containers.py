"""Files whose boxes, segments or chunks are many: the work grows with their bytes alone."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from tasks.images import contents
from tasks.images.containers import appended, av1, items, jpeg
from tests.support.hostile import encoded, safe
from tests.support.odd_pictures import box
from tests.support.work import work

MANY = 2000
TOO_MANY = ["it has too many boxes to be looked at"]


def avif(*boxes: bytes) -> bytes:
    """A file of these boxes in ``meta``, whose primary item is 1."""
    pitm = box(b"pitm", bytes(4) + b"\0\1")
    return box(b"ftyp", b"avif" + bytes(4)) + box(b"meta", bytes(4), pitm, *boxes)


def infe(kinds: list[bytes]) -> bytes:
    entries = (
        box(b"infe", b"\2\0\0\0", struct.pack(">HH", at, 0), kind, b"\0")
        for at, kind in enumerate(kinds, 1)
    )
    return box(b"iinf", bytes(4), struct.pack(">H", len(kinds)), *entries)


def dimg(of: int, *parts: int) -> bytes:
    return box(b"dimg", struct.pack(f">HH{len(parts)}H", of, len(parts), *parts))


def iref(*references: bytes) -> bytes:
    return box(b"iref", bytes(4), *references)


def ipma(associations: dict[int, list[int]]) -> bytes:
    body = struct.pack(">II", 0, len(associations))
    for item, indexes in associations.items():
        body += struct.pack(">HB", item, len(indexes)) + bytes(indexes)
    return box(b"ipma", body)


def test_many_tone_maps_and_references_are_read_once() -> None:
    references = iref(*(dimg(at, 7, 8) for at in range(1, MANY + 1)))
    for count in (3, MANY):
        kinds = [b"tmap"] * count + [b"hidd"] * (MANY - count)
        calls, copied = work(items.gain_map, avif(infe(kinds), references))
        assert calls < 40 * MANY
        assert copied < 60 * MANY
    data = avif(infe([b"tmap"] * MANY), references)
    assert contents.read("AVIF", data, len(data)).doubts == TOO_MANY


def test_a_gain_map_behind_other_tone_maps_is_found() -> None:
    for others, found in ((3, True), (4, False)):
        kinds = [b"av01", *[b"tmap"] * others, b"tmap", b"av01"]
        data = avif(infe(kinds), iref(dimg(others + 2, 1, others + 3)))
        try:
            assert items.gain_map(data) is not None
        except OverflowError:
            assert not found


def test_a_property_is_copied_once_however_many_tiles_have_it() -> None:
    large = 100_000
    properties = box(b"colr", b"none" + bytes(large)), box(b"free", bytes(large))
    tiles = list(range(2, 402))
    indexes = [1, 2] * 100
    iprp = box(b"iprp", box(b"ipco", *properties), ipma(dict.fromkeys(tiles, indexes)))
    data = avif(infe([b"grid"] + [b"av01"] * len(tiles)), iref(dimg(1, *tiles, *tiles)), iprp)
    calls, copied = work(items.properties, data)
    assert copied < 3 * large
    assert calls < 10 * len(data)


def test_the_associations_of_all_boxes_are_bounded_together() -> None:
    tiles = list(range(2, 302))
    every = [ipma(dict.fromkeys(tiles, [1] * 255))] * 3
    iprp = box(b"iprp", box(b"ipco", box(b"free")), *every)
    data = avif(infe([b"grid"]), iref(dimg(1, *tiles)), iprp)
    assert contents.read("AVIF", data, len(data)).doubts == TOO_MANY
    assert work(items.properties, data)[0] < 10 * len(data)


def test_a_stream_of_empty_units_goes_to_a_person() -> None:
    assert av1.code_points(b"\x12\0" * 4000) is None
    with pytest.raises(OverflowError):
        av1.code_points(b"\x12\0" * 5000)


def test_a_scan_of_components_without_number_is_not_noted() -> None:
    names = bytes(range(255))
    frame = struct.pack(">BHHB", 8, 16, 16, 255) + b"".join(bytes([at, 17, 0]) for at in names)
    scan = bytes([255]) + b"".join(bytes([at, 0]) for at in names) + bytes([0, 63, 0])
    data = b"\xff\xd8" + segment(0xC0, frame) + segment(0xDA, scan) * 20
    assert work(jpeg.parse, data)[0] < len(data)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def heads(one: Callable[[int], bytes], tail: bytes, size: int) -> bytes:
    """Many beginnings of files, each of which skips the others and goes on to the same tail."""
    return b"".join(one((MANY - at) * size) for at in range(MANY)) + tail


def png_head(rest: int) -> bytes:
    """A PNG without pixels, 41 bytes, whose second chunk ends with the last of the heads."""
    size = struct.pack(">IIBBBBB", 0, 0, 8, 2, 0, 0, 0)
    ihdr = struct.pack(">I", 13) + b"IHDR" + size + bytes(4)
    return b"\x89PNG\r\n\x1a\n" + ihdr + struct.pack(">I", rest - 41) + b"tEXt"


SHARED = {
    # The segment behind each signature ends in the same short segments.
    "JPEG": lambda: b"\xff\xd8\xff\xfe\x1f\x42" * 1300 + segment(0xFE, b"") * 20_000,
    "PNG": lambda: heads(png_head, bytes(4) + (bytes(4) + b"tEXt" + bytes(4)) * 20_000, 41),
    "GIF": lambda: b"GIF89a\1\0\1\0\0\0\0!\xf9" * 1000 + b"\1x" * 50_000,
    "boxes": lambda: heads(lambda rest: struct.pack(">I", rest) + b"ftyp", box(b"free") * 4000, 8),
}


@pytest.mark.parametrize("name", SHARED)
def test_many_beginnings_of_no_picture_are_not_each_read_to_the_end(name: str) -> None:
    data = SHARED[name]()
    calls, copied = work(lambda its: appended.find(its, 0), data)
    most = len(data) + appended.ALLOWANCE
    assert calls < 20 * most
    assert copied < 5 * most + 64 * appended.MOST_TRIED
    assert appended.find(data, 0)[2] is False


def test_signatures_by_chance_hide_no_picture_behind_them() -> None:
    png = encoded(safe(), "PNG")
    chance = b"\xff\xd8\xff\0GIF89a;;;;;;;;....ftyp\x89PNG\r\n\x1a\n" * 20
    assert appended.find(chance + png, 0) == ([(len(chance), len(chance + png))], 0, True)
