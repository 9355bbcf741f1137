"""Where a picture is made of several, by its 256 x 256 view: borders, tiles, and long pictures.

Three signs are looked for: rims and gutters of one colour, seams (straight lines along which two
pictures meet), and sides of very different length. A usual photograph has none of them, and the
search takes about 1 ms of processor time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MOST_TILES = 16
MOST_ALONG = 24  # parts of a long picture
LONG = 2.4  # sides' ratio from which a picture is split; a phone's screen has up to 2.33
LEAST = 0.11  # shortest side of a part, as a share of the picture's side
TINY = 0.03  # of a side: a thinner rim is not trimmed, nor is all but so little
FLAT = 5.0  # levels of 255: standard deviation of a line of one colour
DRIFT = 10.0  # levels of 255 by which neighbouring lines of one colour may differ
STEP = 10  # levels of 255 by which the picture changes at a seam
TIMES = 1  # how often half the step of the four lines beside it: twice the average
WHOLE_DENSE = 0.55  # share of a line that has the step if the seam is as long as the line
RUN, DENSE = 0.45, 0.75  # the same for a part of the line, and how long the part is
MOST_SEAMS = 7  # of each direction
SMALLEST = 16  # lines; a smaller picture has no seams to look for
Grey = NDArray[np.float32]
Box = tuple[float, float, float, float]  # left, top, right, bottom, each from 0 to 1
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class PicturePart:
    """A part of a picture that may be a picture of its own. ``name`` says which one.

    Without a ``box`` it is the whole picture in another form.
    """

    name: str
    box: Box | None = None
    is_tile: bool = False  # one of a sheet of pictures
    is_border: bool = False  # all but a rim of one colour


def parts_of(view: Image.Image, size: tuple[int, int]) -> list[PicturePart]:
    """The parts of a picture of this size (width, height); none of a usual photograph."""
    grey = np.asarray(view.convert("L"), np.float32)
    inner = _trimmed(grey)
    parts = []
    if inner != WHOLE:
        parts.append(PicturePart("inside its border", _within(inner, len(grey)), is_border=True))
    width, height = (inner[2] - inner[0]) * size[0], (inner[3] - inner[1]) * size[1]
    if max(width, height) >= LONG * min(width, height):
        parts += _along(inner, width, height)
    else:
        parts += _cells(grey, inner)
    return parts


def _trimmed(grey: Grey) -> Box:
    """The box without rims of one colour; WHOLE if there are none to speak of."""
    if all(line.std() > FLAT for line in (grey[0], grey[-1], grey[:, 0], grey[:, -1])):
        return WHOLE  # a usual photograph: the rest would take twice as long as the seams
    top, bottom = _rims(grey)
    left, right = _rims(grey.T)
    box = (left, top, 1 - right, 1 - bottom)
    is_bordered = _is_border(left, right) or _is_border(top, bottom)
    return box if is_bordered and min(box[2] - box[0], box[3] - box[1]) >= TINY else WHOLE


def _within(inner: Box, lines: int) -> Box:
    """Without half a line at each rim, because a line there may have both colours."""
    half = 0.5 / lines
    left, top = (edge + half * (edge > 0) for edge in inner[:2])
    right, bottom = (edge - half * (edge < 1) for edge in inner[2:])
    return left, top, right, bottom


def _is_border(one: float, other: float) -> bool:
    """Rims on both sides, or a quarter of the picture on one side: a photo often has one rim."""
    return min(one, other) >= TINY or max(one, other) >= 0.25


def _rims(grey: Grey) -> tuple[float, float]:
    """How much of the height the rims of one colour take at the top and at the bottom."""
    flat, means = _flat(grey)
    number = len(grey)
    at = [
        _rim(flat[order], means[order]) / number for order in (slice(None), slice(None, None, -1))
    ]
    return (0.0, 0.0) if at[0] + at[1] >= 1 else (at[0], at[1])


def _flat(grey: Grey) -> tuple[NDArray[np.bool_], Grey]:
    """For each line whether it has one colour, and its mean."""
    means = grey.mean(axis=1)
    return grey.std(axis=1) <= FLAT, means


def _rim(flat: NDArray[np.bool_], means: Grey) -> int:
    """The number of flat lines from the first one on, without a step between them."""
    steady = flat & (np.abs(np.diff(means, prepend=means[0])) <= DRIFT)
    ends = np.flatnonzero(~steady)
    return int(ends[0]) if len(ends) else len(flat)


def _along(inner: Box, width: float, height: float) -> list[PicturePart]:
    """Squares along a long picture, from end to end, each overlapping the next."""
    is_tall = height > width
    ratio = max(width, height) / min(width, height)
    number = min(MOST_ALONG, ceil(ratio * 1.15))
    length = max(1 / ratio, 1.15 / number)
    start, end = (inner[1], inner[3]) if is_tall else (inner[0], inner[2])
    span = end - start
    parts = []
    for at in range(number):
        low = start + span * (1 - length) * at / (number - 1)
        high = low + span * length
        box = (inner[0], low, inner[2], high) if is_tall else (low, inner[1], high, inner[3])
        parts.append(PicturePart(f"part {at + 1} of {number} along it", box))
    return parts


def _cells(grey: Grey, inner: Box) -> list[PicturePart]:
    """The cells between seams and gutters that are pictures and not plain; none if there is one."""
    side = len(grey)
    left, top, right, bottom = (round(edge * side) for edge in inner)
    middle = grey[top:bottom, left:right]
    down, across = _cuts(middle)
    cells = [
        ((left + first) / side, (top + low) / side, (left + last) / side, (top + high) / side)
        for low, high in pairwise(down)
        for first, last in pairwise(across)
        if min(high - low, last - first) >= LEAST * side
        and middle[low:high, first:last].std() > 2 * FLAT
    ]
    number = len(cells)
    if not number or (number == 1 and len(across) == len(down) == 2):
        return []
    if number == 1:
        return [PicturePart("inside its frame", cells[0])]
    cells.sort(key=lambda box: (box[0] - box[2]) * (box[3] - box[1]))
    chosen = cells[:: ceil(number / MOST_TILES)]  # of too many, every second or third
    return [PicturePart(f"one of its {number} parts", box, is_tile=True) for box in chosen]


def _cuts(middle: Grey) -> tuple[list[int], list[int]]:
    """Where it is cut down and across: both ends, seams, and both edges of gutters."""
    if min(middle.shape) < SMALLEST:
        return [0, middle.shape[0]], [0, middle.shape[1]]
    sides = (middle, np.ascontiguousarray(middle.T))
    seams = [_seams(lines) for lines in sides]
    short = [found for _, found in seams]
    # Four short seams are a frame; a single one is a pole or the edge of a table.
    is_frame = all(short) and len(short[0]) + len(short[1]) >= 3
    cuts = []
    for lines, (long_seams, short_seams) in zip(sides, seams, strict=True):
        gutters = np.flatnonzero(np.diff(_flat(lines)[0].astype(np.int8))) + 1
        at = {0, len(lines), *gutters.tolist(), *long_seams, *(short_seams if is_frame else [])}
        cuts.append(_apart(sorted(at)))
    return cuts[0], cuts[1]


def _apart(cuts: list[int]) -> list[int]:
    return [cut for before, cut in pairwise([-9, *cuts]) if cut - before > 1]


def _seams(lines: Grey) -> tuple[list[int], list[int]]:
    """Indexes of lines before which the picture changes along a straight edge.

    Two lists: edges along most of the line, and those along a part of it.
    """
    levels = lines.astype(np.int16)
    steps = np.abs(np.diff(levels, axis=0))
    # A seam may fall between two lines of the view: then the step takes two.
    np.maximum(steps[:-1], np.abs(levels[2:] - levels[:-2]), out=steps[:-1])
    number = len(steps)
    padded = np.pad(steps, ((3, 3), (0, 0)), mode="edge")
    beside = np.zeros_like(steps)
    for offset in (0, 1, 5, 6):
        beside += padded[offset : offset + number]
    is_step = (steps > STEP) & (2 * steps > TIMES * beside)
    run = round(RUN * lines.shape[1])
    counts = np.count_nonzero(is_step, axis=1)
    densest = np.zeros(number, np.float32)
    full = np.flatnonzero(counts >= DENSE * run)  # of a usual photograph none
    sums = np.cumsum(is_step[full], axis=1, dtype=np.int16)
    densest[full] = (sums[:, run:] - sums[:, :-run]).max(axis=1) / run
    return _peaks(counts / lines.shape[1], WHOLE_DENSE), _peaks(densest, DENSE)


def _peaks(density: Grey, least: float) -> list[int]:
    """Indexes after the densest lines, at most ``MOST_SEAMS`` and not beside each other."""
    found: list[int] = []
    for at in np.argsort(-density, kind="stable")[: 4 * MOST_SEAMS].tolist():
        if density[at] < least or len(found) == MOST_SEAMS:
            break
        if all(abs(at - other) > 3 for other in found):
            found.append(at)
    return [at + 1 for at in found]
