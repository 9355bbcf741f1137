"""The tracks of an AVIF animation. Source: ISO/IEC 14496-12, 8.3 to 8.7."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.images.containers.boxes import FULL, KINDS, Numbers, Properties, Range, boxes, first
from tasks.images.containers.items import stated

MOST_TRACKS = 8  # that are looked at; an animation has one, and one of its alpha
_ENTRY = 78  # bytes of a visual sample entry before its boxes
_MOST_SEARCHED = 1 << 20


def properties(data: bytes) -> list[Properties]:
    """How viewers see each track that is a picture, browsers first.

    Raises OverflowError if there are more boxes or units than are looked at.
    """
    moov = first(data, (0, len(data)), b"moov")
    found: list[Properties] = []
    every = boxes(data, *moov) if moov else iter(())
    tracks = [(start, end) for kind, start, end in every if kind == b"trak"][:MOST_TRACKS]
    for track in tracks:
        if not _is_auxiliary(data, track):
            found += _of_track(data, track)
    return found


def _is_auxiliary(data: bytes, track: Range) -> bool:
    """Whether the track is the alpha of another one."""
    tref = first(data, track, b"tref")
    return tref is not None and any(kind == b"auxl" for kind, _, _ in boxes(data, *tref))


def _of_track(data: bytes, track: Range) -> list[Properties]:
    table = first(data, track, b"mdia", b"minf", b"stbl")
    stsd = first(data, table, b"stsd")
    if stsd is None:
        return []
    entry = first(data, (stsd[0] + FULL + 4, stsd[1]), b"av01")
    if entry is None:
        return []
    its = Properties()
    for kind, start, end in boxes(data, entry[0] + _ENTRY, entry[1]):
        if kind in KINDS:
            its.take(kind, data[start:end])
    return stated(its, _first_sample(data, table))


def _first_sample(data: bytes, table: Range | None) -> bytes:
    try:
        start = next(_starts(data, table))
        size = _size(data, table)
    except (IndexError, StopIteration):
        return b""
    return data[start : start + min(size, _MOST_SEARCHED)]


def _starts(data: bytes, table: Range | None) -> Iterator[int]:
    """The offset of the first chunk, which begins with the first sample."""
    for kind, size in ((b"stco", 4), (b"co64", 8)):
        if place := first(data, table, kind):
            numbers = Numbers(data, place[0] + FULL, place[1])
            if numbers.read(4):
                yield numbers.read(size)


def _size(data: bytes, table: Range | None) -> int:
    place = first(data, table, b"stsz")
    if place is None:
        return 0
    numbers = Numbers(data, place[0] + FULL, place[1])
    same, count = numbers.read(4), numbers.read(4)
    return same or (numbers.read(4) if count else 0)
