"""Extra views: the parts that are found in a picture, and what a part's score may cause; pure."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from PIL import Image

from models.verdict import Finding, Policy, action_for, explain, judge
from scripts.benches.evasion_variants import grid, of_harmless
from tasks.extra_views.geometry import WHOLE, parts_of
from tasks.extra_views.look_closer import TURNS, look_closer
from tasks.images.decode import Limits, frame_crops
from tasks.images.decoder import Views
from tests.support.api import content

SIDE = 256


def photo(name: str = "safe_astronaut.jpg") -> Image.Image:
    return Image.open(io.BytesIO(content(name))).convert("RGB")


def parts(image: Image.Image):
    return parts_of(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), image.size)


def placed(image: Image.Image, size: tuple[int, int], at: tuple[int, int], colour="white"):
    ground = Image.new("RGB", size, colour)
    ground.paste(image, at)
    return ground


@pytest.mark.parametrize("name", ["safe_astronaut.jpg", "safe_chelsea.jpg", "safe_coffee.jpg"])
def test_a_photograph_has_no_parts(name: str) -> None:
    assert parts(photo(name)) == []


@pytest.mark.parametrize("colour", ["white", "black", (200, 40, 120)])
def test_a_border_of_one_colour_is_cut_off(colour) -> None:
    image = placed(photo().resize((512, 512)), (640, 768), (64, 128), colour)
    [part] = parts(image)
    assert part.is_border
    assert part.box == pytest.approx((0.1, 1 / 6, 0.9, 5 / 6), abs=0.015)


def test_a_picture_in_the_corner_of_a_plain_page_is_found() -> None:
    [part] = parts(placed(photo().resize((320, 320)), (1280, 1280), (960, 960)))
    assert part.box == pytest.approx((0.75, 0.75, 1, 1), abs=0.015)


@pytest.mark.parametrize(("side", "gutter"), [(2, 0), (2, 8), (3, 0), (3, 8)])
def test_the_tiles_of_a_sheet_are_found(side: int, gutter: int) -> None:
    names = ("safe_chelsea.jpg", "safe_coffee.jpg", "review_b.jpg")
    sheet = grid(photo(), [photo(name) for name in names], side, 0, gutter)
    found = [part for part in parts(sheet) if part.is_tile]
    assert len(found) == side * side
    for part in found:
        left, top, right, bottom = part.box
        assert (right - left, bottom - top) == pytest.approx((1 / side, 1 / side), abs=0.03)


def test_a_long_picture_is_split_from_end_to_end() -> None:
    for size in ((800, 4000), (4000, 800)):
        image = photo().resize(size)
        boxes = [part.box for part in parts(image)]
        along = [(box[1], box[3]) if size[1] > size[0] else (box[0], box[2]) for box in boxes]
        assert (along[0][0], along[-1][1]) == pytest.approx((0, 1))
        assert all(after[0] < before[1] for before, after in pairwise(along))
    assert parts(photo().resize((1080, 2400))) == [], "a phone's screen"
    assert len(parts(photo().resize((800, 16_000)))) <= 24


def test_a_crop_is_that_part_of_the_upright_picture(tmp_path) -> None:
    image = Image.new("RGB", (400, 200), "blue")
    image.paste("red", (0, 0, 200, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter: red is on top
    image.save(tmp_path / "turned.jpg", exif=exif)
    boxes = [(0, 0, 1, 0.45), (0, 0.55, 1, 1), WHOLE]
    red, blue, both = frame_crops(tmp_path / "turned.jpg", 0, boxes, Limits())
    assert red.size == blue.size == both.size == (SIDE, SIDE)
    assert red.getpixel((128, 128))[0] > 240 and blue.getpixel((128, 128))[2] > 240


@dataclass
class Shown:
    """What ``look_closer`` uses of a decoded picture."""

    image: Image.Image
    frames: int = 1
    cropped: list = field(default_factory=list)
    others: tuple[Image.Image, ...] = ()  # further frames

    @property
    def views(self) -> Views:
        images = (self.image, *self.others)
        small = [image.resize((SIDE, SIDE), Image.Resampling.BILINEAR) for image in images]
        return Views(list(range(len(images))), [b"", *(one.tobytes() for one in small)], 1)

    @property
    def width(self) -> int:
        return self.image.width

    @property
    def height(self) -> int:
        return self.image.height

    def crop(self, frame, boxes):
        self.cropped += boxes
        return [self.image.resize((SIDE, SIDE)) for _ in boxes]


def look(image: Image.Image, whole: float, *extra: float):
    """Look closer at a picture of this score, whose extra views have these scores, then 0."""
    left, shown = list(extra), Shown(image)

    def score(views):
        return [left.pop(0) if left else 0.0 for _ in views]

    return look_closer(shown, [whole], shown.crop, score), shown


def test_a_usual_photo_costs_nothing() -> None:
    closer, shown = look(photo(), 0.02)
    assert (closer.score, closer.detail, closer.calls, shown.cropped) == (0.02, {}, 0, [])
    assert look(photo(), 0.95)[0].calls == 0


def test_the_outer_rim_is_looked_at_in_the_grey_zone() -> None:
    """The network's own crop leaves out 16 of 256 pixels on each side."""
    image = Image.new("RGB", (SIDE, SIDE), "white")
    image.paste("red", (0, 0, SIDE, 14))
    seen = TURNS["with its outer rim"](image).crop((16, 16, 240, 240))
    assert image.crop((16, 16, 240, 240)).getcolors() == [(224 * 224, (255, 255, 255))]
    assert seen.getpixel((112, 5)) == (255, 0, 0)
    closer = look(photo(), 0.3, *[0.0] * (len(TURNS) - 1), 0.9)[0]
    assert closer.detail["view"] == "with its outer rim"
    assert closer.detail["sure"] == 0.3, "it does not reject"


def test_the_inside_of_a_plain_border_may_reject_and_a_tile_may_not() -> None:
    bordered = look(placed(photo(), (800, 800), (144, 144)), 0.08, 0.93)[0]
    assert bordered.detail["sure"] == 0.93
    sheet = grid(photo(), [photo("safe_chelsea.jpg"), photo("safe_coffee.jpg")], 2, 0, 0)
    tile = look(sheet, 0.02, 0.01, 0.93)[0]
    assert tile.detail["sure"] == 0.02 and len(tile.detail["box"]) == 4
    policy = Policy()
    for closer, action in ((bordered, "reject"), (tile, "review")):
        finding = Finding("classifier", "nudity", score=closer.score, image=0)
        finding.evidence = closer.detail
        assert action_for(finding, policy) == action
        assert closer.detail["view"] in explain(finding)


def test_a_sheet_whose_tiles_are_harmless_goes_to_a_person() -> None:
    sheet = grid(photo(), [photo("safe_chelsea.jpg"), photo("safe_coffee.jpg")], 3, 0, 8)
    closer, _ = look(sheet, 0.9)
    finding = Finding("classifier", "nudity", score=closer.score, image=0, evidence=closer.detail)
    assert judge([finding], Policy()).verdict == "review"
    assert look(sheet, 0.9, 0.7)[0].detail == {}, "a tile is flagged: the whole picture rejects"


def test_the_tiles_of_another_frame_excuse_nothing() -> None:
    """An animation whose bad frame stands among harmless sheets."""
    sheet = grid(photo(), [photo("safe_chelsea.jpg"), photo("safe_coffee.jpg")], 3, 0, 8)
    shown = Shown(photo(), others=(sheet,))
    assert any(part.is_tile for part in parts(sheet))
    closer = look_closer(shown, [0.9, 0.3], shown.crop, lambda views: [0.0 for _ in views])
    assert (closer.score, closer.view, closer.detail) == (0.9, 0, {})


def test_a_picture_in_the_grey_zone_is_turned() -> None:
    closer, shown = look(photo(), 0.1, 0.0, 0.9)
    assert closer.detail == {"view": "turned left", "sure": 0.1}
    assert closer.image is None and shown.cropped == []
    assert look(photo(), 0.1, 0.0, 0.4)[0].detail == {}, "too low to be heeded"


def test_the_forms_that_harmless_pictures_have_cost_little() -> None:
    """The number of parts is the price: one network call each."""
    photos = [photo(name) for name in ("safe_astronaut.jpg", "safe_chelsea.jpg", "safe_coffee.jpg")]
    for group, image in of_harmless(photos[0], photos * 2):
        most = {"photo": 0, "framed photo": 1, "letterboxed photo": 1}.get(group, 9)
        assert len(parts(image)) <= most, group
