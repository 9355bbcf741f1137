"""The variants that `evasions.py` tries: pure, a picture in, (group, picture) pairs out."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from PIL import Image, ImageEnhance, ImageFilter, ImageOps

Variant = tuple[str, Image.Image]
COLOURS = {"white": "white", "black": "black", "coloured": (200, 40, 120)}
CELL = 320  # pixels of one tile


def of(bad: Image.Image, fillers: Sequence[Image.Image]) -> Iterator[Variant]:
    """Every variant of one bad picture."""
    yield from _tiled(bad, fillers)
    yield from _framed(bad, fillers[2])
    yield from _long(bad, fillers)
    yield from _moved(bad, fillers[1])
    yield from _turned(bad)
    yield from _recoloured(bad, fillers[1])


def _tiled(bad: Image.Image, fillers: Sequence[Image.Image]) -> Iterator[Variant]:
    for side in (2, 3, 4):
        for gutter in (0, 8):
            for at in (0, side * side // 2, side * side - 1):
                yield f"one tile of {side * side}", grid(bad, fillers, side, at, gutter)
    for filler in fillers[:2]:
        for first in (True, False):
            pair = (bad, filler) if first else (filler, bad)
            yield "beside another picture", _joined([_cell(one, 480) for one in pair], True)
            yield (
                "above or below another picture",
                _joined([_cell(one, 480) for one in pair], False),
            )


def grid(
    one: Image.Image, fillers: Sequence[Image.Image], side: int, at: int, gutter: int
) -> Image.Image:
    """A sheet of side x side tiles, one of them at this place, with gutters of so many pixels."""
    step = CELL + gutter
    sheet = Image.new("RGB", (side * step + gutter, side * step + gutter), "white")
    for place in range(side * side):
        tile = one if place == at else fillers[place % len(fillers)]
        where = (gutter + place % side * step, gutter + place // side * step)
        sheet.paste(_cell(tile, CELL), where)
    return sheet


def _framed(bad: Image.Image, photo: Image.Image) -> Iterator[Variant]:
    for share in (0.9, 0.8, 0.6, 0.5):
        for name, colour in COLOURS.items():
            side = round(640 / share)
            yield f"{name} frame", _placed(bad, Image.new("RGB", (side, side), colour))
        side = round(640 / share)
        blurred = bad.resize((side, side)).filter(ImageFilter.GaussianBlur(side / 20))
        yield "frame of its own, blurred", _placed(bad, blurred)
        yield "frame of noise", _placed(bad, _noise(side, side))
        yield "frame of a photo", _placed(bad, _cell(photo, side))
    for colour in COLOURS.values():
        yield "letterboxed", _placed(bad, Image.new("RGB", (640, 1140), colour))
        yield "letterboxed", _placed(bad, Image.new("RGB", (1140, 640), colour))
        yield "on the side of a plain page", _placed(bad, Image.new("RGB", (1280, 1280), colour), 0)


def _long(bad: Image.Image, fillers: Sequence[Image.Image]) -> Iterator[Variant]:
    for ratio in (5, 20):
        for place in (0, ratio // 2, ratio - 1):
            tiles = [_cell(fillers[at % len(fillers)], 480) for at in range(ratio)]
            tiles[place] = _cell(bad, 480)
            yield f"strip 1:{ratio} of pictures", _joined(tiles, False)
            plain = [Image.new("RGB", (480, 480), "white")] * ratio
            plain[place] = _cell(bad, 480)
            yield f"strip 1:{ratio}, plain", _joined(plain, False)
            yield f"strip {ratio}:1 of pictures", _joined(tiles, True)


def _moved(bad: Image.Image, ground: Image.Image) -> Iterator[Variant]:
    """The picture half outside, and small at a rim with soft edges."""
    side = 640
    for share in (0.3, 0.5):
        for right, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            moved = _cell(ground, side)
            moved.paste(_cell(bad, side), (round(side * share * right), round(side * share * down)))
            yield "moved half out of the picture", moved
    for share in (0.5, 0.65):
        small = round(side * share)
        mask = Image.new("L", (small, small), 0)
        mask.paste(255, (0, 0, round(0.92 * small), round(0.92 * small)))
        softened = mask.filter(ImageFilter.GaussianBlur(small / 25))
        for down in (0.0, 0.5):
            whole = _cell(ground, side)
            whole.paste(_cell(bad, small), (0, round(down * (side - small))), softened)
            yield "small at the rim, without an edge", whole


def _turned(bad: Image.Image) -> Iterator[Variant]:
    yield "mirrored", ImageOps.mirror(bad)
    for angle in (90, 180, 270):
        yield "turned", bad.rotate(angle)
    yield "turned 15 degrees", bad.rotate(15, expand=True, fillcolor="white")


def _recoloured(bad: Image.Image, photo: Image.Image) -> Iterator[Variant]:
    yield "negative", ImageOps.invert(bad)
    yield "grey", bad.convert("L").convert("RGB")
    for factor in (0.5, 0.25):
        yield "low contrast", ImageEnhance.Contrast(bad).enhance(factor)
    for factor in (0.4, 2.0):
        yield "dark or bright", ImageEnhance.Brightness(bad).enhance(factor)
    for share in (0.25, 0.5):
        yield "blended with another", Image.blend(bad, photo.resize(bad.size), share)
    for width in (4, 16):
        yield "striped", _striped(bad, width)


def of_harmless(photo: Image.Image, others: Sequence[Image.Image]) -> Iterator[Variant]:
    """One harmless picture as it is, and in the forms that harmless pictures often have."""
    yield "photo", photo
    width, height = photo.size
    for left in (0, width // 2):
        for top in (0, height // 2):
            yield "crop of a photo", photo.crop((left, top, left + width // 2, top + height // 2))
    yield "framed photo", _placed(_cell(photo, 640), Image.new("RGB", (800, 800), "white"))
    yield "letterboxed photo", _placed(_cell(photo, 640), Image.new("RGB", (640, 1140), "black"))
    yield "collage of 4 photos", grid(photo, others, 2, 0, 8)
    yield "collage of 9 photos", grid(photo, others, 3, 0, 0)
    yield "long strip of photos", _joined([_cell(one, 480) for one in (photo, *others[:4])], False)


def sheets(photos: Sequence[Image.Image]) -> Iterator[Image.Image]:
    """Sheets of 36 avatars, drawn by a few rules: a face, hair and shoulders in skin tones."""
    for seed in range(4):
        chance = random.Random(seed)  # nosec B311
        for gutter in (0, 10):
            side = 6 * 150 + 7 * gutter
            sheet = Image.new("RGB", (side, side), "white")
            for place in range(36):
                x, y = place % 6, place // 6
                tile = (
                    _avatar(chance) if chance.random() < 0.7 else _cell(chance.choice(photos), 150)
                )
                sheet.paste(tile, (gutter + x * (150 + gutter), gutter + y * (150 + gutter)))
            yield sheet


def _avatar(chance: random.Random) -> Image.Image:
    from PIL import ImageDraw

    skin = chance.choice([(241, 194, 160), (224, 172, 130), (198, 134, 96), (141, 85, 56)])
    back = tuple(chance.randrange(120, 256) for _ in range(3))
    image = Image.new("RGB", (300, 300), back)
    draw = ImageDraw.Draw(image)
    hair = tuple(chance.randrange(10, 110) for _ in range(3))
    shirt = skin if chance.random() < 0.3 else tuple(chance.randrange(256) for _ in range(3))
    draw.ellipse((40, 210, 260, 420), fill=shirt)
    draw.rectangle((130, 190, 170, 240), fill=skin)
    draw.ellipse((75, 40, 225, 190), fill=hair)
    draw.ellipse((90, 65, 210, 215), fill=skin)
    for x in (125, 175):
        draw.ellipse((x - 8, 125, x + 8, 137), fill="black")
    draw.arc((125, 145, 175, 185), 20, 160, fill=(150, 60, 60), width=4)
    return image.filter(ImageFilter.GaussianBlur(1.5)).resize((150, 150))


def _cell(image: Image.Image, side: int) -> Image.Image:
    return ImageOps.fit(image, (side, side))


def _joined(tiles: Sequence[Image.Image], along: bool) -> Image.Image:
    width, height = tiles[0].size
    number = len(tiles)
    sheet = Image.new("RGB", (width * number, height) if along else (width, height * number))
    for at, tile in enumerate(tiles):
        sheet.paste(tile, (width * at, 0) if along else (0, height * at))
    return sheet


def _placed(image: Image.Image, ground: Image.Image, share: float = 0.5) -> Image.Image:
    """`image` on `ground`: in the middle, or with share 0 at the top left."""
    ground = ground.copy()
    left, top = ground.width - image.width, ground.height - image.height
    ground.paste(image, (round(share * left), round(share * top)))
    return ground


def _noise(width: int, height: int) -> Image.Image:
    noise = Image.effect_noise((width // 4, height // 4), 120).resize((width, height))
    return Image.merge("RGB", (noise, noise.rotate(180), ImageOps.mirror(noise)))


def _striped(image: Image.Image, width: int) -> Image.Image:
    striped = image.copy()
    for top in range(0, image.height, 2 * width):
        striped.paste((20, 20, 20), (0, top, image.width, min(top + width // 2, image.height)))
    return striped
