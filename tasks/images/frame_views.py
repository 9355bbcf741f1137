"""The views of a decoded frame for the classifier and for people: flat, upright, small.

Scores must equal those of `opennsfw2` (see `tests/fixtures/manifest.json`), so the classifier's
256 x 256 view is made from all pixels with the same bilinear filter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image, ImageChops

VIEW = (256, 256)  # what opennsfw2's Preprocessing.YAHOO resizes to
PREVIEW_SIDE = 1280
GREY_SIDE = 512  # pixels; a side of twice this size is halved for the perceptual hash
GREY_LEAST = 5  # pixels; below this side the reference gives no hash
SAME_VIEW = 3  # levels of 255: alpha views that differ by at most this are one view

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One view for the classifier: 256 x 256, RGB, upright. Several may have the same index."""

    index: int
    image: Image.Image


def views_of(image: Image.Image, orientation: int) -> list[Image.Image]:
    """The 256 x 256 views of one decoded frame: one, or up to three with alpha.

    Composited on white, which is the reference; on black; and without alpha, because a viewer that
    ignores alpha shows the hidden colours.
    """
    white = _square(flatten(image, "white"), orientation)
    if not _is_see_through(image):
        return [white]
    views = [white]
    for other in (flatten(image, "black"), _as_rgba(image).convert("RGB")):
        square = _square(other, orientation)
        if all(_differ(square, view) for view in views):
            views.append(square)
    return views


def _differ(one: Image.Image, other: Image.Image) -> bool:
    bands = ImageChops.difference(one, other).getextrema()
    return any(high > SAME_VIEW for _, high in bands)  # type: ignore[misc]


def _square(image: Image.Image, orientation: int) -> Image.Image:
    """`image` turned upright, then resized to `VIEW`.

    The other order is faster but rounds differently: `reject_c_exif6.jpg` moved by 0.02.
    """
    return upright(image, orientation).resize(VIEW, Image.Resampling.BILINEAR)


def flatten(image: Image.Image, ground: str) -> Image.Image:
    """`image` as RGB, composited on the colour `ground`; the same object if it already is."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image).convert("RGB")
    if not _is_see_through(image):
        return image.convert("RGB")
    rgba = _as_rgba(image)
    flat = Image.new("RGB", rgba.size, ground)
    flat.paste(rgba, mask=rgba.getchannel("A"))
    return flat


def _eight_bits(image: Image.Image) -> Image.Image:
    """A 16-bit grey picture as `L`: the high byte, because `convert` alone clips."""
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")


def _is_see_through(image: Image.Image) -> bool:
    if image.mode.startswith(("I", "F")) or not image.has_transparency_data:
        return False
    low, _ = _as_rgba(image).getchannel("A").getextrema()
    return bool(low < 255)  # type: ignore[operator]


def _as_rgba(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGBA" else image.convert("RGBA")


def rgba(image: Image.Image) -> Image.Image:
    """`image` of any mode as RGBA."""
    return _as_rgba(_eight_bits(image) if image.mode.startswith(("I", "F")) else image)


def shrink(image: Image.Image, longest: int) -> Image.Image:
    """A copy of `image` with at most `longest` pixels on each side."""
    excess = max(image.size) / longest
    if excess <= 1:
        return image.copy()
    if excess >= 2:  # A box filter alone is four times as fast and looks the same.
        return image.reduce(math.ceil(excess))
    size = (max(1, round(image.width / excess)), max(1, round(image.height / excess)))
    return image.resize(size, Image.Resampling.BILINEAR)


def luma(image: Image.Image) -> Image.Image:
    """`image` as grey, of fewer than twice `GREY_SIDE` pixels a side, which its hash needs.

    Whole pixels are averaged. On average this changes 1.4 of the 256 bits of the full picture's
    hash; a bilinear filter changed 6.7 bits and took longer.
    """
    # Converting before shrinking is a third of the work.
    grey = image if image.mode == "L" else image.convert("L")
    excess = max(grey.size) // GREY_SIDE
    if excess < 2 or min(grey.size) < GREY_LEAST:
        return grey
    along, down = (min(excess, side // GREY_LEAST) for side in grey.size)
    return grey.reduce((along, down))


def upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)
