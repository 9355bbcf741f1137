"""AVIF stills: colours in boxes and in the stream, crops, turns, grids and gain maps."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.support import odd_avifs as avif
from tests.support import odd_pictures as odd
from tests.support.hostile import animation
from tests.support.rendering.corpus import LOSSY, Case, kind
from tests.support.rendering.films import STRETCHED
from tests.support.rendering.stills import photo, see_through

# (primaries, transfer): linear, gamma 2.8, television, Display P3, BT.2020, unspecified, reserved.
CODE_POINTS = ((1, 8), (1, 5), (1, 1), (12, 13), (9, 14), (2, 2), (2, 8), (1, 2), (3, 3), (1, 13))
HDR_CODE_POINTS = ((9, 16), (9, 18), (1, 16))


@kind("AVIF, colours in its box")
def boxed(_: random.Random) -> Iterator[Case]:
    item = avif.coded(photo())
    for points in (*CODE_POINTS, *HDR_CODE_POINTS):
        yield Case(f"code points {points}", avif.file_of(item.having(avif.nclx(*points))), LOSSY)
    for matrix in (0, 1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14):
        property_ = avif.nclx(1, 13, matrix)
        yield Case(f"matrix {matrix}", avif.file_of(item.having(property_)), LOSSY, person=True)
    limited = avif.nclx(1, 13, 6, 0)
    yield Case("limited range", avif.file_of(item.having(limited)), LOSSY)
    both = item.having(avif.icc(odd.swapped()), avif.nclx(1, 8))
    yield Case("profile and code points", avif.file_of(both), LOSSY)
    two = item.having(avif.nclx(1, 13), avif.nclx(1, 8))
    yield Case("two boxes of code points", avif.file_of(two), LOSSY)
    twice = item.having(avif.icc(odd.swapped()), avif.icc(odd.profile()))
    yield Case("two profiles", avif.file_of(twice), LOSSY)
    broken = item.having(avif.icc(b"x" * 200), avif.nclx(1, 8))
    yield Case("broken profile and code points", avif.file_of(broken), LOSSY)
    grey = avif.coded(photo().convert("L")).having(avif.nclx(1, 8))
    yield Case("grey, linear", avif.file_of(grey), LOSSY)


@kind("AVIF, colours in its stream alone")
def streamed(_: random.Random) -> Iterator[Case]:
    item = avif.coded(photo())
    for points in (*CODE_POINTS, *HDR_CODE_POINTS):
        yield Case(f"stream {points}", avif.file_of(item.stating(*points)), LOSSY)
    full = avif.coded(photo(), subsampling="4:4:4").stating(1, 8)
    yield Case("4:4:4", avif.file_of(full), LOSSY)
    yield Case("grey", avif.file_of(avif.coded(photo().convert("L")).stating(1, 8)), LOSSY)
    other = item.stating(1, 8).having(avif.nclx(1, 13))
    yield Case("the box says sRGB", avif.file_of(other), LOSSY)
    foreign = item.stating(1, 8), item.having(avif.nclx(1, 13))
    yield Case("a box of another item", avif.file_of(*foreign), LOSSY)
    alpha = avif.coded(see_through().getchannel("A")).having(avif.ALPHA, avif.nclx(1, 13))
    data = avif.file_of(item.stating(1, 8), alpha, references=((b"auxl", 2, (1,)),))
    yield Case("a box of the alpha", data, STRETCHED)
    films = animation([photo().rotate(angle) for angle in (0, 90)], "AVIF", speed=10)
    at = films.index(b"mdat") + 4
    silent = films[:at].replace(b"colr", b"free") + avif.with_stream_colours(films[at:], 1, 8)
    # The stretch is larger in linear light.
    yield Case("animation", silent, 3 * STRETCHED)
    for brand in (b"avif", b"avis", b"mif1"):
        first = films.replace(b"colrnclx\0\1\0\x0d", b"colrnclx\0\1\0\x08", 1)
        both = first[:8] + brand + first[12:]
        yield Case(f"animation and picture differ, {brand.decode()}", both, STRETCHED)


@kind("AVIF, padding before its stream's header")
def padded(_: random.Random) -> Iterator[Case]:
    item = avif.coded(photo()).stating(1, 8)
    for size in (20, 100, 4000, 5000):
        low, high = size & 127 | 128, size >> 7
        padding = bytes([0x7A, low, high]) + bytes(size)
        moved = avif.Item(item.kind, item.body[:2] + padding + item.body[2:], item.properties)
        yield Case(f"{size} bytes", avif.file_of(moved), LOSSY, person=True)


@kind("AVIF crops and turns")
def shaped(_: random.Random) -> Iterator[Case]:
    item = avif.coded(photo())
    for angle in range(4):
        for axis in (None, 0, 1):
            more = () if axis is None else (avif.mirror(axis),)
            yield Case(
                f"turn {angle}, mirror {axis}",
                avif.file_of(item.having(avif.turn(angle), *more)),
                LOSSY,
            )
    first = item.having(avif.mirror(1), avif.turn(1))
    yield Case("mirror before turn", avif.file_of(first), LOSSY)
    crop = odd.clap((40, 1), (20, 1), (-10, 1), (-8, 1))
    crops = {
        "crop": item.having(crop),
        "crop, then turn": item.having(crop, avif.turn(1)),
        "turn, then crop": item.having(avif.turn(1), crop),
        "crop, turn and mirror": item.having(crop, avif.turn(3), avif.mirror(0)),
        "two crops": item.having(crop, odd.clap((20, 1), (10, 1), (0, 1), (0, 1))),
        "crop outside": item.having(odd.clap((96, 1), (64, 1), (9, 1), (0, 1))),
        "crop of half pixels": item.having(odd.clap((41, 2), (20, 1), (0, 1), (0, 1))),
        "crop of odd pixels": item.having(odd.clap((31, 1), (23, 1), (-15, 2), (-7, 2))),
        "crop and linear stream": item.stating(1, 8).having(crop),
    }
    for name, made in crops.items():
        yield Case(name, avif.file_of(made), LOSSY)


@kind("AVIF grids and gain maps")
def derived(_: random.Random) -> Iterator[Case]:
    left, right = avif.coded(photo(64, 64)), avif.coded(photo(64, 64).rotate(90))
    size = 128, 64
    yield Case("grid", avif.grid_of(left, right, size, avif.nclx(1, 13)), LOSSY)
    yield Case("grid, linear", avif.grid_of(left, right, size, avif.nclx(1, 8)), LOSSY)
    linear = left.stating(1, 8), right.stating(1, 8)
    yield Case("grid, linear stream", avif.grid_of(*linear, size), LOSSY)
    yield Case("grid, boxes at its tiles", _tiles_alone(left, right, size), LOSSY)
    crop = odd.clap((40, 1), (20, 1), (-10, 1), (-8, 1))
    yield Case("grid, crop", avif.grid_of(left, right, size, avif.nclx(1, 13), crop), LOSSY)
    base, gain = avif.coded(photo()).having(avif.nclx(1, 13)), avif.coded(photo().rotate(180))
    gain = gain.having(avif.nclx(2, 2))
    yield Case("gain map", avif.with_gain_map(base, gain), LOSSY)
    bright = avif.with_gain_map(base, gain, base_is_bright=True)
    yield Case("gain map of a bright picture", bright, LOSSY, person=True)


def _tiles_alone(left: avif.Item, right: avif.Item, size: tuple[int, int]) -> bytes:
    linear = avif.nclx(1, 8)
    return avif.grid_of(left.having(linear), right.having(linear), size)
