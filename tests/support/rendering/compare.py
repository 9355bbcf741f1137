"""Compares what a browser paints of a file with the views that Sluice scores."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageChops

from tasks.images.decode import Picture, PictureError, accepted
from tasks.images.file_formats import sniff
from tasks.images.frame_views import VIEW
from tasks.moderation.checks import FOR_A_PERSON
from tests.support.decoded import decoded
from tests.support.rendering.corpus import Case
from tests.support.rendering.oracle import Oracle, Painted

EQUAL, PERSON, REFUSED, DIFFERS = "equal", "person", "refused", "differs"
# Not an error of ours: the browser shows nothing, so nobody sees anything.
NOTHING = "not shown"


@dataclass(frozen=True)
class Outcome:
    """The result for one case: one of the words above, and what differs."""

    case: Case
    result: str
    details: str = ""

    @property
    def right(self) -> bool:
        """Whether what is painted is scored, or a person looks where the case allows that."""
        if self.result == PERSON:
            return self.case.person
        return self.result in (EQUAL, NOTHING)


def check(oracle: Oracle, case: Case) -> Outcome:
    """Decode and paint one case, and compare."""
    painted = oracle.paint(case.data, accepted()[sniff(case.data[:512]) or ""])
    try:
        picture = decoded(case.data, max_frames=400)
    except PictureError as error:
        if error.code in FOR_A_PERSON:
            return Outcome(case, PERSON, str(error))
        result = REFUSED if painted.frames else NOTHING
        return Outcome(case, result, str(error))
    differences = _differences(case, picture, painted)
    if picture.doubts:
        return Outcome(case, PERSON, picture.doubts[0])
    if not painted.frames:
        return Outcome(case, NOTHING, painted.error or "")
    return Outcome(case, DIFFERS if differences else EQUAL, "; ".join(differences[:3]))


def _differences(case: Case, picture: Picture, painted: Painted) -> list[str]:
    found = []
    for index, grounds in enumerate(painted.frames):
        covered = _covered(grounds) if case.partial else None
        for ground, image in zip(("white", "black"), grounds, strict=True):
            nearest = min(_apart(image, view.image, covered) for view in picture.views)
            if nearest > case.tolerance:
                found.append(f"frame {index} on {ground} is {nearest} levels from every view")
    size = picture.width, picture.height
    # Where viewers differ in whether they turn a picture, both views are scored.
    if painted.frames and painted.frames[0][0].size not in (size, size[::-1]):
        found.append(f"painted {painted.frames[0][0].size}, decoded {size}")
    return found


def _apart(painted: Image.Image, view: Image.Image, covered: Image.Image | None) -> int:
    """The largest difference of the averages of 16 x 16 pixels, in levels."""
    square = painted.resize(VIEW, Image.Resampling.BILINEAR)
    blocks = ImageChops.difference(square, view).reduce(16)
    if covered:
        blocks = Image.composite(blocks, Image.new("RGB", blocks.size), covered)
    return max(high for _, high in blocks.getextrema())  # type: ignore[misc]


def _covered(grounds: list[Image.Image]) -> Image.Image:
    """A mask of the blocks in which white and black ground look the same."""
    white, black = (each.resize(VIEW, Image.Resampling.BILINEAR) for each in grounds)
    blocks = ImageChops.difference(white, black).convert("L").reduce(16)
    return blocks.point(lambda value: 255 * (value == 0))
