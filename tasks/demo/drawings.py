"""Pictures for the demo: drawn ones, and the sample pictures with their look-alikes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont

SAMPLES = Path(__file__).parent / "pictures"
Picture = tuple[str, bytes]  # a file name and the file's bytes
Drawing = Callable[[Random], Image.Image]


@cache
def samples(prefix: str) -> tuple[Picture, ...]:
    """The sample pictures by prefix: ``safe``, ``review``, ``reject`` or ``animated``."""
    return tuple((p.name, p.read_bytes()) for p in sorted(SAMPLES.glob(f"{prefix}_*.*")))


def look_alike(picture: Picture, chance: Random) -> Picture:
    """A near duplicate: slightly cropped, brightened, and compressed again."""
    with Image.open(BytesIO(picture[1])) as opened:
        image = opened.convert("RGB")
    left, top = (int(side * chance.uniform(0, 0.015)) for side in image.size)
    image = image.crop((left, top, image.width - left, image.height - top))
    image = image.point(_brighter(chance.uniform(0.98, 1.02)))
    return f"copy_of_{picture[0].partition('.')[0]}.jpg", _jpeg(image, chance.randint(75, 92))


def _brighter(factor: float) -> Callable[[int], float]:
    return lambda value: value * factor


def drawn(chance: Random) -> Picture:
    """A new drawing, as JPEG, PNG or WebP."""
    drawing = chance.choice(DRAWINGS)
    image = drawing(chance)
    kind = chance.choice(("JPEG", "JPEG", "PNG", "WEBP"))
    if kind == "JPEG":
        return f"{drawing.__name__}.jpg", _jpeg(image, 88)
    return f"{drawing.__name__}.{kind.lower()}", _file(image, kind)


def animation(chance: Random) -> Picture:
    """A ball that crosses the picture, as an animated GIF or WebP of 8 to 16 frames."""
    count, colour, ground = chance.randint(8, 16), _colour(chance), _colour(chance)
    frames = []
    for step in range(count):
        frame = Image.new("RGB", (240, 160), ground)
        x, y = 240 * step / count, 80 + 50 * math.sin(step)
        ImageDraw.Draw(frame).ellipse((x - 20, y - 20, x + 20, y + 20), fill=colour)
        frames.append(frame)
    kind = chance.choice(("GIF", "WEBP"))
    options = {"save_all": True, "append_images": frames[1:], "duration": 80, "loop": 0}
    return f"ball.{kind.lower()}", _file(frames[0], kind, **options)


def gradient(chance: Random) -> Image.Image:
    """A colour gradient with a circle."""
    size = chance.choice(((640, 480), (800, 600), (480, 640)))
    ramp = Image.linear_gradient("L").resize(size)
    image = Image.composite(
        Image.new("RGB", size, _colour(chance)), Image.new("RGB", size, _colour(chance)), ramp
    )
    x, y, radius = chance.randint(60, 400), chance.randint(60, 300), chance.randint(20, 60)
    box = (x - radius, y - radius, x + radius, y + radius)
    ImageDraw.Draw(image).ellipse(box, fill=_colour(chance))
    return image


def shapes(chance: Random) -> Image.Image:
    """Overlapping squares, circles and lines."""
    image = Image.new("RGB", (640, 480), _colour(chance))
    pen = ImageDraw.Draw(image)
    for _ in range(chance.randint(8, 30)):
        x, y, size = chance.randint(0, 600), chance.randint(0, 440), chance.randint(15, 160)
        box = (x, y, x + size, y + size)
        draw = chance.choice((pen.rectangle, pen.ellipse))
        draw(box, fill=_colour(chance), outline=_colour(chance), width=3)
        pen.line((x, y, chance.randint(0, 640), chance.randint(0, 480)), _colour(chance), 2)
    return image


def chart(chance: Random) -> Image.Image:
    """A bar chart with figures."""
    image = Image.new("RGB", (720, 480), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(16)
    colour = _colour(chance)
    for bar in range(12):
        height = chance.randint(30, 380)
        x = 30 + bar * 56
        pen.rectangle((x, 440 - height, x + 40, 440), fill=colour)
        pen.text((x, 420 - height), str(height), fill="black", font=font)
    pen.line((20, 440, 700, 440), "black", 2)
    return image


def note(chance: Random) -> Image.Image:
    """A few words on coloured paper."""
    image = Image.new("RGB", (640, 420), _colour(chance, least=150))
    words = "open until late bring your own cup sold out thank you see you on friday".split()
    for line in range(4):
        text = " ".join(chance.sample(words, 3))
        at = (40, 50 + line * 80)
        ImageDraw.Draw(image).text(at, text, fill="black", font=ImageFont.load_default(36))
    return image


DRAWINGS: tuple[Drawing, ...] = (gradient, shapes, chart, note)


def _colour(chance: Random, least: int = 0) -> tuple[int, int, int]:
    return chance.randint(least, 255), chance.randint(least, 255), chance.randint(least, 255)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    return _file(image, "JPEG", quality=quality)


def _file(image: Image.Image, kind: str, **options: object) -> bytes:
    target = BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()
