"""PQ and HLG, as a browser shows them on a screen without high dynamic range.

Chromium 156 applies the reference white tone mapping of SMPTE ST 2094-50, for content of up to
1,000 cd/m2: by the brightest of the three colours in ITU-R BT.2020. The result differs from
Chromium's by at most three levels of 255.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from math import exp
from typing import Any

from PIL import Image, ImageMath

from tasks.images.pixels.icc_profile import HighRange, linear_matrix

SDR_WHITE = 203.0  # cd/m2 of a white page beside such a picture (ITU-R BT.2408)
PEAK = 1000 / SDR_WHITE  # the brightest light that is mapped, 1.0 is the white of a page
_BT2020, _SRGB = 9, 1  # primaries of ITU-T H.273
_PQ, _HLG = 16, 18  # its transfers
# The curve above white, of second degree: its ends and the point between them.
_KNEE, _MIDDLE, _END = (1.0, 0.5), (1.65, 0.825), (PEAK, 1.0)
_LEVELS = 65535


def toned(image: Image.Image, seen: HighRange) -> Image.Image:
    """An RGB picture with these code points in sRGB."""
    light = _light_of(seen.transfer)
    bands = [band.point(light, "F") for band in image.split()]
    if seen.transfer == _HLG:
        bands = [
            _calculated(_displayed, band=band, r=bands[0], g=bands[1], b=bands[2]) for band in bands
        ]
    bands = _mixed(bands, linear_matrix(seen.primaries, _BT2020))
    gain = ImageMath.lambda_eval(_gain, r=bands[0], g=bands[1], b=bands[2])
    bands = [_calculated(lambda of: of["band"] * of["gain"], band=b, gain=gain) for b in bands]
    bands = _mixed(bands, linear_matrix(_BT2020, _SRGB))
    return Image.merge("RGB", [_encoded(band) for band in bands])


def _calculated(formula: Callable[[dict[str, Any]], Any], **images: Image.Image) -> Image.Image:
    result: Image.Image = ImageMath.lambda_eval(formula, **images)
    return result


def _displayed(of: dict[str, Any]) -> Any:
    """The light of a screen of 1,000 cd/m2 for HLG, by the luminance of the scene."""
    luminance = of["r"] * 0.2627 + of["g"] * 0.678 + of["b"] * 0.0593
    return of["band"] * luminance**0.2 * PEAK


def _gain(of: dict[str, Any]) -> Any:
    """By how much each light is multiplied: by half up to white, then by less and less."""
    least, most = of["min"], of["max"]
    brightest = most(most(of["r"], of["g"]), of["b"])
    square, straight = _KNEE[0] - 2 * _MIDDLE[0] + _END[0], 2 * (_MIDDLE[0] - _KNEE[0])
    rest = most(least(brightest, PEAK) - _KNEE[0], 0.0)
    share = ((rest * (4 * square) + straight**2) ** 0.5 - straight) / (2 * square)
    left = share * -1.0 + 1.0
    toned_light = left * left * _KNEE[1] + share * left * (2 * _MIDDLE[1]) + share * share * _END[1]
    return toned_light / most(brightest, 1.0)


def _mixed(bands: Sequence[Image.Image], matrix: Sequence[Sequence[float]]) -> list[Image.Image]:
    """The bands in other primaries."""
    red, green, blue = bands

    def row(of: dict[str, Any], parts: Sequence[float]) -> Any:
        return of["r"] * parts[0] + of["g"] * parts[1] + of["b"] * parts[2]

    return [
        _calculated(lambda of, parts=parts: row(of, parts), r=red, g=green, b=blue)  # type: ignore[misc]
        for parts in matrix
    ]


def _encoded(band: Image.Image) -> Image.Image:
    def scaled(of: dict[str, Any]) -> Any:
        return of["int"](of["min"](of["max"](of["band"], 0.0), 1.0) * _LEVELS)

    return _calculated(scaled, band=band).point(_srgb_levels(), "L")


@functools.lru_cache(maxsize=1)
def _srgb_levels() -> list[int]:
    """The level of sRGB of each of 65,536 lights."""
    lights = (at / _LEVELS for at in range(_LEVELS + 1))
    return [
        round(255 * (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055))
        for v in lights
    ]


@functools.lru_cache(maxsize=2)
def _light_of(transfer: int) -> list[float]:
    """The light of each of 256 levels, 1.0 is the white of a page."""
    curve = {_PQ: _pq, _HLG: _hlg}[transfer]
    return [curve(level / 255) for level in range(256)]


def _pq(value: float) -> float:
    """PQ (SMPTE ST 2084)."""
    power = value ** (1 / 78.84375)
    part = max(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    return float(10_000 * part ** (1 / 0.1593017578125) / SDR_WHITE)


def _hlg(value: float) -> float:
    """Light of the scene of HLG (ITU-R BT.2100), at most 1."""
    if value <= 0.5:
        return value * value / 3
    return (exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
