"""PDQ, the perceptual hash of ThreatExchange, as two products of small matrices.

Implemented here because the published binding must be compiled at installation. It follows
https://github.com/facebook/ThreatExchange/tree/main/pdq (BSD). The box filters, the decimation and
the cosine transform are linear, so for each picture size they are one matrix per side, which is
cached. It differs from the reference only in rounding: a bit whose coefficient is near the median.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE, BLOCK = 64, 16  # the picture is decimated to 64 x 64; 16 x 16 of its transform are used
BANDS = 8  # parts of a filter matrix
Matrix = NDArray[np.float32]


def compute(image: Image.Image) -> tuple[bytes, int]:
    """The hash (32 bytes, the reference's bit order) and its quality from 0 to 100."""
    luma = np.asarray(image if image.mode == "L" else image.convert("L"))
    small = _decimated(_decimated(luma).T).T
    transformed = _cosines() @ small @ _cosines().T
    # The reference takes the lower of the two middle values, and writes the last bit first.
    median = np.partition(transformed, BLOCK * BLOCK // 2 - 1, axis=None)[BLOCK * BLOCK // 2 - 1]
    bits = (transformed > median).ravel()[::-1]
    return np.packbits(bits).tobytes(), _quality(small)


def _quality(small: Matrix) -> int:
    """How much structure the picture has: the sum of its gradients, in whole percent."""
    down = np.trunc(np.diff(small, axis=0) * 100 / 255)
    along = np.trunc(np.diff(small, axis=1) * 100 / 255)
    return min(100, int(np.abs(down).sum() + np.abs(along).sum()) // 90)


def _decimated(values: NDArray[Any]) -> Matrix:
    """(64, n): the rows of (size, n), filtered."""
    bands = [weights @ values[rows].astype(np.float32) for rows, weights in _bands(len(values))]
    return np.concatenate(bands)


@lru_cache(maxsize=256)
def _bands(size: int) -> list[tuple[slice, Matrix]]:
    """The filter in parts, each with the rows that it uses, as most of the matrix is zero."""
    matrix = _filter(size)
    bands = []
    for some in np.split(matrix, BANDS):
        used = np.flatnonzero(some.any(axis=0))
        rows = slice(int(used[0]), int(used[-1]) + 1)
        bands.append((rows, np.ascontiguousarray(some[:, rows])))
    return bands


def _filter(size: int) -> Matrix:
    """(64, size): two box filters and the decimation, for a side of ``size`` pixels."""
    window = (size + 2 * SIDE - 1) // (2 * SIDE)
    half = (window + 2) // 2
    at = np.arange(size)
    first = np.maximum(at + half - window, 0)
    last = np.minimum(at + half, size)
    box = ((at >= first[:, None]) & (at < last[:, None])) / (last - first)[:, None]
    kept = ((np.arange(SIDE) + 0.5) * size / SIDE).astype(int)
    return (box[kept] @ box).astype(np.float32)


@cache
def _cosines() -> Matrix:
    """(16, 64): the cosine transform without its constant term."""
    frequency = np.arange(1, BLOCK + 1)[:, None]
    place = 2 * np.arange(SIDE) + 1
    values = np.sqrt(2 / SIDE) * np.cos(np.pi / (2 * SIDE) * frequency * place)
    return np.asarray(values, dtype=np.float32)
