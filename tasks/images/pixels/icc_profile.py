"""ICC profiles: whether a browser takes one, and profiles made from gamma and code points.

Sources: ICC.1:2022 (profiles), ITU-T H.273 (code points), skcms (what Chromium takes).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MAX_TAGS = 100
SPACES = frozenset({b"RGB ", b"GRAY", b"CMYK"})  # what profiles of pictures are for
_D50 = (0.9642, 1.0, 0.8249)
_D65 = (0.3127, 0.329)
_SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
STEPS = 1024  # of a curve
Matrix = Sequence[Sequence[float]]
# red, green, blue, white (x, y) of the primaries of H.273 that browsers know
_PRIMARIES = {
    1: (*_SRGB, *_D65),
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, 0.310, 0.316),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    10: (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65),
}
HDR = frozenset({16, 18})  # PQ and HLG: each viewer maps them in its own way


@dataclass(frozen=True, slots=True)
class HighRange:
    """Code points of PQ or HLG, which no profile can describe: see ``tone_mapping``."""

    primaries: int
    transfer: int


Profile = bytes | HighRange


def space(profile: bytes) -> bytes:
    """The kind of colours that it is for: ``RGB ``, ``GRAY``, ``CMYK`` or another."""
    return profile[16:20]


def fits(profile: bytes, form: str) -> bool:
    """Whether browsers apply it to pictures of this form (``RGB``, ``L`` or ``CMYK``)."""
    kinds = {"RGB": (b"RGB ",), "L": (b"GRAY", b"RGB "), "CMYK": (b"CMYK",)}
    return space(profile) in kinds[form]


def is_sound(profile: bytes) -> bool:
    """Whether browsers read it: its signature, version, size and table of tags."""
    if len(profile) < 132 or profile[36:40] != b"acsp" or profile[8] > 4:
        return False
    (size,), (count,) = struct.unpack_from(">I", profile), struct.unpack_from(">I", profile, 128)
    if size > len(profile) or not 0 < count <= MAX_TAGS or 132 + 12 * count > size:
        return False
    tags = (struct.unpack_from(">4sII", profile, 132 + 12 * number) for number in range(count))
    return all(start + length <= size for _, start, length in tags)


def repaired(profile: bytes) -> bytes:
    """The profile as a display's: Little CMS refuses links, browsers do not look at the class."""
    return profile[:12] + b"mntr" + profile[16:] if profile[12:16] == b"link" else profile


def of_gamma(gamma: int, points: Sequence[int] | None) -> bytes | None:
    """The profile of a PNG's gAMA (times 100,000) and of its cHRM, white first; None for sRGB."""
    white = tuple(p / 100_000 for p in points[:2]) if points else _D65
    colours = tuple(p / 100_000 for p in points[2:]) if points else _SRGB
    exponent = 100_000 / gamma
    if not points and 0.95 < exponent / 2.2 < 1.05:
        return None  # nearly that of sRGB, whose curve browsers take then
    return _made(colours, white, _curve(lambda v: v**exponent))


def of_code_points(primaries: int, transfer: int) -> tuple[bool, Profile | None]:
    """(whether browsers know these, the profile, None for sRGB)."""
    if primaries in _PRIMARIES and transfer in HDR:
        return True, HighRange(primaries, transfer)
    if primaries not in _PRIMARIES or transfer not in _TRANSFERS:
        return False, None
    if primaries == 1 and transfer == 13:
        return True, None
    *colours, x, y = _PRIMARIES[primaries]
    return True, _made(colours, (x, y), _curve(_TRANSFERS[transfer]))


def _srgb_curve(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _smpte240(value: float) -> float:
    return value / 4 if value < 0.0913 else float(((value + 0.1115) / 1.1115) ** (1 / 0.45))


# Browsers take the curves of television for that of a television screen.
_TRANSFERS: dict[int, Callable[[float], float]] = {
    1: lambda v: v**2.4,
    4: lambda v: v**2.2,
    5: lambda v: v**2.8,
    6: lambda v: v**2.4,
    7: _smpte240,
    8: lambda v: v,
    11: lambda v: v**2.4,
    13: _srgb_curve,
    14: lambda v: v**2.4,
    15: lambda v: v**2.4,
    17: lambda v: v**2.6 * 52.37 / 48,
}


def _curve(light: Callable[[float], float]) -> bytes:
    """A ``curv`` element of the light at evenly spaced values."""
    values = (light(at / (STEPS - 1)) for at in range(STEPS))
    table = struct.pack(f">{STEPS}H", *(round(65535 * min(1.0, max(0.0, v))) for v in values))
    return b"curv\0\0\0\0" + struct.pack(">I", STEPS) + table


def _made(colours: Sequence[float], white: Sequence[float], curve: bytes) -> bytes | None:
    """A matrix profile; None if these points are not those of three colours and a white."""
    try:
        columns = _adapted(colours, white)
    except ZeroDivisionError:
        return None
    tags = [(b"desc", b"desc" + bytes(7) + b"\x02x\0" + bytes(78)), (b"wtpt", _xyz(_D50))]
    tags += [
        (name + b"XYZ", _xyz(column))
        for name, column in zip((b"r", b"g", b"b"), columns, strict=True)
    ]
    at = 132 + 12 * (len(tags) + 3)
    table, data = b"", b""
    for name, body in tags:
        body += bytes(-len(body) % 4)
        table += name + struct.pack(">II", at + len(data), len(body))
        data += body
    for name in (b"rTRC", b"gTRC", b"bTRC"):  # all share one curve
        table += name + struct.pack(">II", at + len(data), len(curve))
    body = struct.pack(">I", len(tags) + 3) + table + data + curve
    head = struct.pack(
        ">I4x4s4s4s4s12x4s28x", 128 + len(body), b"\x02\x40\0\0", b"mntr", b"RGB ", b"XYZ ", b"acsp"
    )
    return head + _xyz(_D50)[8:] + bytes(48) + body


def linear_matrix(source: int, target: int) -> Matrix:
    """What turns light in the primaries of `source` into those of `target` (ITU-T H.273)."""
    both = [_adapted(_PRIMARIES[each][:6], _PRIMARIES[each][6:]) for each in (source, target)]
    to_target = _inverse(_turned(both[1]))
    return _turned([_times(to_target, column) for column in both[0]])


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(
        ">iii", *(round(65536 * min(32767, max(-32768, v))) for v in values)
    )


def _adapted(colours: Sequence[float], white: Sequence[float]) -> Matrix:
    """XYZ of red, green and blue, adapted from the white to D50 by Bradford's matrix."""
    points = [_of_xy(colours[at], colours[at + 1]) for at in (0, 2, 4)]
    light = _of_xy(white[0], white[1])
    scales = _times(_inverse(_turned(points)), light)
    columns = [
        [scale * part for part in point] for scale, point in zip(scales, points, strict=True)
    ]
    cones = [
        d50 / its
        for d50, its in zip(_times(_BRADFORD, _D50), _times(_BRADFORD, light), strict=True)
    ]
    back = _inverse(_BRADFORD)
    return [
        _times(back, [k * part for k, part in zip(cones, _times(_BRADFORD, column), strict=True)])
        for column in columns
    ]


def _of_xy(x: float, y: float) -> list[float]:
    return [x / y, 1.0, (1 - x - y) / y] if y else [x, y, 1 - x - y]


def _turned(matrix: Matrix) -> list[list[float]]:
    return [list(row) for row in zip(*matrix, strict=True)]


def _times(matrix: Matrix, vector: Sequence[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def _inverse(m: Matrix) -> list[list[float]]:
    """The inverse of a 3 x 3 matrix; raises ZeroDivisionError if there is none."""
    (a, b, c), (d, e, f), (g, h, i) = m
    minors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    determinant = a * minors[0][0] + b * minors[1][0] + c * minors[2][0]
    return [[part / determinant for part in row] for row in minors]
