"""The colours that an AV1 stream states itself, in its sequence header.

Browsers take them for an AVIF whose boxes say nothing about colours. Source: AV1 Bitstream and
Decoding Process Specification, 5.3 (OBUs) and 5.5 (sequence header).
"""

from __future__ import annotations

UNSPECIFIED = 2  # ITU-T H.273
_SEQUENCE_HEADER = 1  # the type of its OBU
_MOST_UNITS = 4096  # OBUs before the header; encoders write one or two
_MOST_HEADER = 1024  # bytes; the longest possible one has under 500


class _Bits:
    """Reads numbers of any width; raises IndexError behind the end."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def read(self, width: int) -> int:
        self._left -= width
        if self._left < 0:
            raise IndexError("the sequence header is cut")
        return self._value >> self._left & (1 << width) - 1

    def skip_variable(self) -> None:
        """A number with a prefix of zeros, at most 31 of them."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros == 32:
                raise ValueError("a number of the sequence header is too large")
        self.read(zeros)


def code_points(data: bytes) -> tuple[int, int] | None:
    """(primaries, transfer) of the first sequence header in a sample; None if none can be read.

    A header without colours says `UNSPECIFIED`. Raises OverflowError if more units stand before it
    than are looked at.
    """
    header = _first_header(data)
    try:
        return None if header is None else _colours(_Bits(header[:_MOST_HEADER]))
    except (IndexError, ValueError):
        return None


def _first_header(data: bytes) -> bytes | None:
    """The body of the first sequence header; every step goes at least one byte on."""
    at = count = 0
    while at < len(data):
        count += 1
        if count > _MOST_UNITS:
            raise OverflowError("a stream has too many units before its header")
        first = data[at]
        if first & 0x80:
            return None
        extended, sized = first >> 2 & 1, first >> 1 & 1
        start = at + 1 + extended
        size, start = _size(data, start) if sized else (len(data) - start, start)
        if size is None or size < 0 or start + size > len(data):
            return None
        if first >> 3 & 15 == _SEQUENCE_HEADER:
            return data[start : start + size]
        at = start + size
    return None


def _size(data: bytes, at: int) -> tuple[int | None, int]:
    """(a number of 7 bits a byte, the least first; None if it is broken, where it ends)."""
    value = 0
    for number, byte in enumerate(data[at : at + 8]):
        value |= (byte & 0x7F) << 7 * number
        if not byte & 0x80:
            return (value if value < 1 << 32 else None), at + number + 1
    return None, at


def _colours(bits: _Bits) -> tuple[int, int]:
    profile = bits.read(3)
    still, reduced = bits.read(1), bits.read(1)
    if profile > 2 or (reduced and not still):
        raise ValueError("the sequence header is of an unknown kind")
    if reduced:
        bits.read(5)  # level
    else:
        _skip_operating_points(bits)
    _skip_sizes_and_tools(bits, bool(reduced))
    return _color_config(bits, profile)


def _skip_operating_points(bits: _Bits) -> None:
    delay = 0  # bits of a delay; 0 without a decoder model
    if bits.read(1):  # timing
        bits.read(64)
        if bits.read(1):
            bits.skip_variable()
        if bits.read(1):  # decoder model
            delay = bits.read(5) + 1
            bits.read(42)
    displays = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)  # tier
        if delay and bits.read(1):
            bits.read(2 * delay + 1)
        if displays and bits.read(1):
            bits.read(4)


def _skip_sizes_and_tools(bits: _Bits, reduced: bool) -> None:
    sides = bits.read(4) + 1, bits.read(4) + 1
    bits.read(sum(sides))
    if not reduced and bits.read(1):
        bits.read(7)  # lengths of frame numbers
    bits.read(3)  # superblocks, intra filters
    if not reduced:
        bits.read(4)
        orders = bits.read(1)
        if orders:
            bits.read(2)
        screen_content = bits.read(1) or bits.read(1)
        if screen_content and not bits.read(1):
            bits.read(1)
        if orders:
            bits.read(3)
    bits.read(3)  # super-resolution, two filters


def _color_config(bits: _Bits, profile: int) -> tuple[int, int]:
    deep = bits.read(1)
    twelve = bits.read(1) if profile == 2 and deep else 0
    grey = bits.read(1) if profile != 1 else 0
    found = (
        (bits.read(8), bits.read(8), bits.read(8))
        if bits.read(1)
        else (UNSPECIFIED, UNSPECIFIED, UNSPECIFIED)
    )
    if grey:
        bits.read(1)  # range
    elif found != (1, 13, 0):  # these are RGB, of full range
        bits.read(1)
        halved = profile == 0
        if profile == 2 and twelve:
            halved = bool(bits.read(1) and bits.read(1))
        if halved:
            bits.read(2)  # where chroma samples lie
    if not grey:
        bits.read(1)
    bits.read(1)  # film grain: a decoder refuses a header that is cut before it
    return found[:2]
