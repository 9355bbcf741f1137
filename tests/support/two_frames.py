"""Animations of an innocent first picture and a bad one, in every format with several frames."""

from __future__ import annotations

import io

from PIL import Image

from tests.support.api import content

FORMATS = ("PNG", "GIF", "WEBP", "MPO")
SIZE = (480, 480)


def still(name: str, side: int = SIZE[0]) -> bytes:
    """A fixture as a JPEG of `side` x `side` pixels."""
    return saved([name], "JPEG", side)


def animation(*names: str, kind: str) -> bytes:
    """These fixtures as the frames of one file; `kind` is one of ``FORMATS``."""
    return saved(names, kind)


def sheet(*names: str) -> bytes:
    """Four fixtures as the tiles of one JPEG, without gutters."""
    whole = Image.new("RGB", (2 * SIZE[0], 2 * SIZE[1]))
    for at, name in enumerate(names):
        tile = Image.open(io.BytesIO(content(name))).convert("RGB").resize(SIZE)
        whole.paste(tile, (at % 2 * SIZE[0], at // 2 * SIZE[1]))
    file = io.BytesIO()
    whole.save(file, "JPEG", quality=92)
    return file.getvalue()


def saved(names: list[str] | tuple[str, ...], kind: str, side: int = SIZE[0]) -> bytes:
    """These fixtures as the frames of one file of Pillow's format `kind`."""
    first, *more = (
        Image.open(io.BytesIO(content(name))).convert("RGB").resize((side, side)) for name in names
    )
    options = {"duration": 500, "loop": 0} if kind in ("PNG", "GIF", "WEBP") else {}
    options |= {"save_all": True, "append_images": more} if more else {}
    file = io.BytesIO()
    first.save(file, kind, **options)
    return file.getvalue()
