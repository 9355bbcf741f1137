"""A closer look at a picture: extra views where the network is known to be easily misled.

The network was trained on whole photographs. A border, a collage, a long strip, or a picture turned
or inverted lowers its score; a sheet of small pictures raises it. The price falls on pictures that
show the geometry or that have a score in the grey zone; docs/pictures.md has the measurements.

An extra view alone never rejects, except the inside of a plain border: a person looks. ``sure`` is
the score on which a rejection may rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageOps

from tasks.extra_views.geometry import WHOLE, Box, PicturePart, parts_of
from tasks.images.decoder import Decoded

GREY = (0.05, 0.8)  # scores of the whole picture in which each of `TURNS` is scored as well
LEAST = 0.5  # score from which an extra view is heeded
CERTAIN = 0.8  # score of a whole picture that needs no extra view, unless it is a sheet of tiles
FRAMES = 3  # of an animation that are looked at closer: those with the highest scores
SHEET = 4  # tiles from which a picture is a sheet
CALM = 0.2  # highest score of a tile of a sheet that is not rejected for its whole look

_RIM = 16  # pixels of the 256 on each side, which the network's own crop leaves out


def _with_rim(image: Image.Image) -> Image.Image:
    """The whole picture in the part that the network sees."""
    whole = Image.new("RGB", image.size)
    seen = (image.width - 2 * _RIM, image.height - 2 * _RIM)
    whole.paste(image.resize(seen, Image.Resampling.BILINEAR), (_RIM, _RIM))
    return whole


Crop = Callable[[int, Sequence[Box]], list[Image.Image]]  # the parts of this frame, 256 x 256
Score = Callable[[Sequence[Any]], list[float]]
TURNS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "turned left": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned right": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "turned upside down": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "with inverted colours": ImageOps.invert,
    "with full contrast": lambda image: ImageOps.autocontrast(image, cutoff=1),
    "with its outer rim": _with_rim,
}


@dataclass(frozen=True, slots=True)
class CloserLook:
    """The score of the view that counts, the number of the decoder's view, and its ``detail``.

    ``detail`` is empty for the whole view, else ``{"view", "sure"}`` and for a part its ``box``.
    ``image`` is a part's own view. ``calls`` is the number of extra views that were scored.
    """

    score: float
    view: int
    detail: dict[str, Any] = field(default_factory=dict)
    image: Image.Image | None = None
    calls: int = 0


@dataclass(frozen=True, slots=True)
class _Candidate:
    view: int
    image: Image.Image
    part: PicturePart
    score: float = 0.0


def look_closer(picture: Decoded, scores: Sequence[float], crop: Crop, score: Score) -> CloserLook:
    """Score extra views where they may change the result; ``scores`` are those of the views.

    ``crop`` raises PictureError, ``score`` ClassifierDown.
    """
    ranked = sorted(range(len(scores)), key=lambda view: -scores[view])
    worst, whole = ranked[0], scores[ranked[0]]
    parts = _scored(_parts(picture, ranked[:FRAMES], crop), score)
    calls = len(parts)
    tiles = [each for each in parts if each.part.is_tile and each.view == worst]
    if whole >= CERTAIN:
        return CloserLook(whole, worst, _sheet(tiles), calls=calls)
    sure = max([whole, *(each.score for each in parts if each.part.is_border)])
    best = max(parts, key=lambda each: each.score, default=None)
    if best is None or best.score < LEAST:
        turned = _scored(_turned(picture, worst, whole), score)
        calls += len(turned)
        best = max([*parts, *turned], key=lambda each: each.score, default=None)
    if best is None or best.score < LEAST or best.score <= whole:
        return CloserLook(whole, worst, calls=calls)
    detail: dict[str, Any] = {"view": best.part.name, "sure": round(sure, 4)}
    if best.part.box:
        detail["box"] = [round(edge, 4) for edge in best.part.box]
    image = best.image if best.part.box else None
    return CloserLook(best.score, best.view, detail, image, calls)


def _parts(picture: Decoded, views: Sequence[int], crop: Crop) -> list[_Candidate]:
    found = []
    for view in views:
        parts = parts_of(picture.views[view], (picture.width, picture.height))
        if parts:
            images = crop(picture.views.frames[view], [part.box or WHOLE for part in parts])
            found += [_Candidate(view, *pair) for pair in zip(images, parts, strict=True)]
    return found


def _turned(picture: Decoded, view: int, whole: float) -> list[_Candidate]:
    if not GREY[0] <= whole < GREY[1]:
        return []
    image = picture.views[view]
    return [_Candidate(view, turn(image), PicturePart(name)) for name, turn in TURNS.items()]


def _scored(candidates: Sequence[_Candidate], score: Score) -> list[_Candidate]:
    if not candidates:
        return []
    scores = score([each.image for each in candidates])
    return [
        _Candidate(each.view, each.image, each.part, float(value))
        for each, value in zip(candidates, scores, strict=True)
    ]


def _sheet(tiles: Sequence[_Candidate]) -> dict[str, Any]:
    """What is said of a picture with a high score: nothing, unless no tile of a sheet has one."""
    highest = max((each.score for each in tiles), default=1.0)
    if len(tiles) < SHEET or highest >= CALM:
        return {}
    return {"view": f"a sheet of which no part has more than {highest:.2f}", "sure": highest}
