"""The picture items of an AVIF or HEIF file: the primary one, and its gain map.

Source: ISO/IEC 14496-12, 8.11 (items), and 23008-12 (grids, gain maps).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tasks.images.containers import av1
from tasks.images.containers.boxes import (
    FULL,
    KINDS,
    MOST_NUMBERS,
    Numbers,
    Properties,
    Range,
    boxes,
    first,
)

SEARCHED = 4096  # bytes of a picture in which browsers look for a sequence header
_MOST_SEARCHED = 1 << 20  # in which another viewer may find one
_MOST_ASSOCIATIONS = 32  # boxes; browsers refuse a file with more
_MOST_DERIVED = 4  # a picture made of others, which are made of others, and so on
_MOST_TONE_MAPS = 4  # items that are looked at; a picture has one
_TILED = (b"grid", b"iovl")
_BROKEN = (struct.error, IndexError)


@dataclass(frozen=True, slots=True)
class GainMap:
    """What turns the primary picture into a brighter or a darker one on some screens.

    `file` is the whole file with the gain map as its primary picture. `on_plain_screens` tells that
    it is applied on screens without high dynamic range.
    """

    file: bytes
    on_plain_screens: bool


def properties(data: bytes) -> list[Properties]:
    """How viewers see the primary picture, browsers first; empty if there is none.

    A grid without a statement about colours has that of its tiles in some browsers alone. Raises
    OverflowError if there are more boxes or entries than are looked at.
    """
    meta = _Meta.of(data)
    if meta is None:
        return []
    own, tiles = Properties(), Properties()
    try:
        parts = sorted(set(meta.tiles()))
        every, indexes = meta.properties({meta.primary, *parts})
        _take(own, data, every, indexes.get(meta.primary, ()))
        _take(tiles, data, every, (at for tile in parts for at in indexes.get(tile, ())))
    except _BROKEN:
        pass
    profile, points = own.profile or tiles.profile, own.code_points or tiles.code_points
    both = [Properties(profile, points, own.crop), own]
    coded = meta.coded(meta.primary)
    return [seen for each in both[own == both[0] :] for seen in stated(each, coded)]


def _take(
    its: Properties, data: bytes, every: list[tuple[bytes, int, int]], indexes: Iterable[int]
) -> None:
    """Add the property boxes with these numbers, from 1; each is copied at most once."""
    done: set[int] = set()
    for index in indexes:
        if index in done or not 0 < index <= len(every):
            continue
        done.add(index)
        kind, start, end = every[index - 1]
        if kind in KINDS:
            its.take(kind, data[start:end])


def stated(its: Properties, coded: bytes) -> list[Properties]:
    """`its` with the colours that the picture's data state, if boxes state none."""
    if its.code_points:
        return [its]
    its.code_points = av1.code_points(coded[:SEARCHED])
    other = None if its.code_points else av1.code_points(coded)
    return [its, Properties(its.profile, other, its.crop)] if other else [its]


def gain_map(data: bytes) -> GainMap | None:
    """The gain map of the primary picture, if there is one.

    Raises OverflowError if there are more boxes or tone maps than are looked at.
    """
    meta = _Meta.of(data)
    if meta is None:
        return None
    try:
        maps = (item for item, kind in meta.kinds() if kind == b"tmap")
        for count, item in enumerate(maps):
            if count == _MOST_TONE_MAPS:
                raise OverflowError("a file has too many tone maps")
            parts = meta.parts(item)
            if len(parts) == 2 and parts[0] == meta.primary:
                return GainMap(meta.with_primary(parts[1]), _is_for_plain(meta.body(item, 64)))
    except _BROKEN:
        pass
    return None


def _is_for_plain(body: bytes) -> bool:
    """Whether the other picture is the less bright one (ISO 21496-1)."""
    # Versions of 1, 2 and 2 bytes, flags of 1 byte, then two fractions.
    if len(body) < 22:
        return False
    base, base_of, other, other_of = struct.unpack_from(">4I", body, 6)
    return base * other_of > other * base_of


@dataclass(frozen=True, slots=True)
class _Meta:
    """The ``meta`` box: its body, the number of the primary item, and what items are made of."""

    data: bytes
    inside: Range
    primary: int
    primary_at: Range  # where that number stands
    made_of: dict[int, Range]  # of each item made of others, the numbers of those, with a count
    wide: int  # bytes of these numbers

    @staticmethod
    def of(data: bytes) -> _Meta | None:
        meta = first(data, (0, len(data)), b"meta")
        inside = meta and (meta[0] + FULL, meta[1])
        pitm = first(data, inside, b"pitm")
        if not inside or not pitm or pitm[1] - pitm[0] < FULL + 2:
            return None
        at = pitm[0] + FULL
        place = at, at + (4 if data[pitm[0]] else 2)
        primary = int.from_bytes(data[slice(*place)], "big")
        iref = first(data, inside, b"iref")
        wide = 4 if iref and iref[1] - iref[0] >= FULL and data[iref[0]] else 2
        return _Meta(data, inside, primary, place, _derivations(data, iref, wide), wide)

    def with_primary(self, item: int) -> bytes:
        """The file with another primary item."""
        start, end = self.primary_at
        limit = 1 << 8 * (end - start)
        return self.data[:start] + (item % limit).to_bytes(end - start, "big") + self.data[end:]

    def properties(
        self, items: set[int]
    ) -> tuple[list[tuple[bytes, int, int]], dict[int, list[int]]]:
        """(every property box, the numbers from 1 of those of each of the items)."""
        iprp = first(self.data, self.inside, b"iprp") or (0, 0)
        ipco = first(self.data, iprp, b"ipco")
        every = list(boxes(self.data, *ipco)) if ipco else []
        indexes: dict[int, list[int]] = {}
        found = [(at, end) for kind, at, end in boxes(self.data, *iprp) if kind == b"ipma"]
        if len(found) > _MOST_ASSOCIATIONS:
            raise OverflowError("a file has too many associations")
        left = MOST_NUMBERS  # of all these boxes together
        for place in found:
            numbers = Numbers(self.data, *place, left)
            _associate(indexes, items, numbers)
            left = numbers.left
        return every, indexes

    def tiles(self) -> list[int]:
        """The items that the primary one is put together of; empty if it is one picture."""
        kind = dict(self.kinds()).get(self.primary)
        return self.parts(self.primary) if kind in _TILED else []

    def kinds(self) -> Iterator[tuple[int, bytes]]:
        """(number, type) of each item."""
        iinf = first(self.data, self.inside, b"iinf")
        if iinf is None:
            return
        start = iinf[0] + FULL + (4 if self.data[iinf[0]] else 2)
        for kind, at, end in boxes(self.data, start, iinf[1]):
            if kind == b"infe":
                numbers = Numbers(self.data, at, end)
                item = numbers.read(4 if numbers.read(FULL) >> 24 > 2 else 2)
                numbers.read(2)  # its protection
                yield item, numbers.read(4).to_bytes(4, "big")

    def parts(self, item: int) -> list[int]:
        """The items that an item is made of."""
        if item not in self.made_of:
            return []
        numbers = Numbers(self.data, *self.made_of[item])
        return [numbers.read(self.wide) for _ in range(numbers.read(2))]

    def coded(self, item: int) -> bytes:
        """The first data of an item, or of the first coded one that it is made of."""
        try:
            kinds = dict(self.kinds())
            for _ in range(_MOST_DERIVED):
                if kinds.get(item) == b"av01":
                    return self.body(item, _MOST_SEARCHED)
                item = self.parts(item)[0]
        except _BROKEN:
            pass
        return b""

    def body(self, item: int, most: int) -> bytes:
        """The first `most` bytes of an item."""
        iloc = first(self.data, self.inside, b"iloc")
        if iloc is None:
            return b""
        found, body = _location(self.data, iloc, item), bytearray()
        idat = first(self.data, self.inside, b"idat") or (0, 0)
        for in_idat, offset, length in found:
            start, limit = (idat[0] + offset, idat[1]) if in_idat else (offset, len(self.data))
            end = min(limit, start + (length or limit), start + most - len(body))
            body += self.data[start:end]
            if len(body) >= most:
                break
        return bytes(body)


def _derivations(data: bytes, iref: Range | None, wide: int) -> dict[int, Range]:
    """Where the numbers stand of the items that each derived item is made of."""
    found: dict[int, Range] = {}
    for kind, start, end in boxes(data, iref[0] + FULL, iref[1]) if iref else ():
        if kind == b"dimg" and end - start >= wide:
            item = int.from_bytes(data[start : start + wide], "big")
            found.setdefault(item, (start + wide, end))
    return found


def _location(data: bytes, iloc: Range, item: int) -> list[tuple[bool, int, int]]:
    """(whether within ``idat``, offset, length or 0) of each extent of an item."""
    version, numbers = data[iloc[0]], Numbers(data, iloc[0] + FULL, iloc[1])
    sizes = numbers.read(2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 2 if version < 2 else 4
    for _ in range(numbers.read(wide)):
        number = numbers.read(wide)
        method = numbers.read(2) & 15 if version else 0
        numbers.read(2)  # another file, which browsers do not open
        start, extents = numbers.read(base), []
        for _ in range(numbers.read(2)):
            numbers.read(index if version else 0)
            extents.append((method == 1, start + numbers.read(offset), numbers.read(length)))
        if number == item:
            return extents
    return []


def _associate(indexes: dict[int, list[int]], items: set[int], numbers: Numbers) -> None:
    """Add what an ``ipma`` box says: the numbers, from 1, of the properties of these items."""
    head = numbers.read(FULL)
    wide, size = head >> 24 > 0, 2 if head & 1 else 1
    mask = 0x7FFF if head & 1 else 0x7F
    for _ in range(numbers.read(4)):
        item = numbers.read(4 if wide else 2)
        count = numbers.read(1)
        if item in items:
            found = [numbers.read(size) & mask for _ in range(count)]
            indexes.setdefault(item, found)
        else:
            numbers.read(size * count)
