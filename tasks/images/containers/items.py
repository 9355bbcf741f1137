"""The picture items of an AVIF or HEIF file: the primary one, and its gain map.

Source: ISO/IEC 14496-12, 8.11 (items), and 23008-12 (grids, gain maps).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tasks.images.containers import av1
from tasks.images.containers.boxes import (
    FULL,
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
        parts = sorted(meta.tiles())
        boxes_of = meta.properties({meta.primary, *parts})
        for kind, body in boxes_of(meta.primary):
            own.take(kind, body)
        for tile in parts:
            for kind, body in boxes_of(tile):
                tiles.take(kind, body)
    except _BROKEN:
        pass
    profile, points = own.profile or tiles.profile, own.code_points or tiles.code_points
    every = [Properties(profile, points, own.crop), own]
    coded = meta.coded(meta.primary)
    return [seen for each in every[own == every[0] :] for seen in stated(each, coded)]


def stated(its: Properties, coded: bytes) -> list[Properties]:
    """`its` with the colours that the picture's data state, if boxes state none."""
    if its.code_points:
        return [its]
    its.code_points = av1.code_points(coded[:SEARCHED])
    other = None if its.code_points else av1.code_points(coded)
    return [its, Properties(its.profile, other, its.crop)] if other else [its]


def gain_map(data: bytes) -> GainMap | None:
    """The gain map of the primary picture, if there is one."""
    meta = _Meta.of(data)
    if meta is None:
        return None
    try:
        for item, kind in meta.kinds():
            parts = meta.parts(item) if kind == b"tmap" else []
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
    """The ``meta`` box: its body, and the number of the primary item."""

    data: bytes
    inside: Range
    primary: int
    primary_at: Range  # where that number stands

    @staticmethod
    def of(data: bytes) -> _Meta | None:
        meta = first(data, (0, len(data)), b"meta")
        inside = meta and (meta[0] + FULL, meta[1])
        pitm = first(data, inside, b"pitm")
        if not inside or not pitm or pitm[1] - pitm[0] < FULL + 2:
            return None
        at = pitm[0] + FULL
        place = at, at + (4 if data[pitm[0]] else 2)
        return _Meta(data, inside, int.from_bytes(data[slice(*place)], "big"), place)

    def with_primary(self, item: int) -> bytes:
        """The file with another primary item."""
        start, end = self.primary_at
        limit = 1 << 8 * (end - start)
        return self.data[:start] + (item % limit).to_bytes(end - start, "big") + self.data[end:]

    def properties(self, items: set[int]) -> Callable[[int], Iterator[tuple[bytes, bytes]]]:
        """A function that gives the property boxes of one of the items: (type, body) of each."""
        iprp = first(self.data, self.inside, b"iprp") or (0, 0)
        ipco = first(self.data, iprp, b"ipco")
        every = list(boxes(self.data, *ipco)) if ipco else []
        indexes: dict[int, list[int]] = {}
        found = [(at, end) for kind, at, end in boxes(self.data, *iprp) if kind == b"ipma"]
        if len(found) > _MOST_ASSOCIATIONS:
            raise OverflowError("a file has too many associations")
        for place in found:
            _associate(indexes, items, Numbers(self.data, *place))

        def of(item: int) -> Iterator[tuple[bytes, bytes]]:
            for index in indexes.get(item, ()):
                if 0 < index <= len(every):
                    kind, start, end = every[index - 1]
                    yield kind, self.data[start:end]

        return of

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
        iref = first(self.data, self.inside, b"iref")
        if iref is None:
            return []
        size = 4 if self.data[iref[0]] else 2
        for kind, start, end in boxes(self.data, iref[0] + FULL, iref[1]):
            numbers = Numbers(self.data, start, end)
            if kind == b"dimg" and numbers.read(size) == item:
                return [numbers.read(size) for _ in range(numbers.read(2))]
        return []

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
        found, body = _location(self.data, iloc, item), b""
        idat = first(self.data, self.inside, b"idat") or (0, 0)
        for in_idat, offset, length in found:
            start, limit = (idat[0] + offset, idat[1]) if in_idat else (offset, len(self.data))
            end = min(limit, start + (length or limit), start + most - len(body))
            body += self.data[start:end]
            if len(body) >= most:
                break
        return body


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
