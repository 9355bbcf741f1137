"""The built-in text model: the linear model of the PyPI package alt-profanity-check, in numpy.

Words are weighted by how rare they are, and five support vector machines of one training, each with
its own calibration, are averaged. It knows English words and nothing of their order: it sorts a
review queue, and is no ground for a rejection (docs/detectors.md).
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.settings import Settings
from tasks.detectors import model_files
from tasks.detectors.base import DetectorError, Score, Subject

MODEL_FILE = "toxicity.npy"
LABELS = ("toxicity",)
MOST_CHARACTERS = 20_000  # of a text that are read
MOST_WORDS = 5  # in the evidence
_WORD = re.compile(r"\b\w\w+\b")


class Toxicity:
    """The model; 2.5 MB once it is made."""

    def __init__(self, settings: Settings) -> None:
        words, *arrays = _arrays(model_files.read(settings.detectors, MODEL_FILE))
        self._words = {w: at for at, w in enumerate(words.tobytes().decode().split("\n"))}
        self._rarity, self._weights, self._bias, self._slope, self._offset = arrays

    def detect(self, subject: Subject) -> Iterator[Score]:
        """The text's toxicity; its evidence is the words that speak most for it."""
        if not isinstance(subject, str):
            raise DetectorError("toxicity takes texts, not pictures.")
        counts = Counter(_WORD.findall(subject[:MOST_CHARACTERS].lower()))
        known = [(self._words[word], n, word) for word, n in counts.items() if word in self._words]
        at = np.array([place for place, _, _ in known], np.intp)
        values = self._rarity[at] * np.array([n for _, n, _ in known], np.float64)
        values /= max(float(np.sqrt(values @ values)), 1e-300)
        parts = self._weights[:, at] * values
        score = self._calibrated(parts.sum(axis=1))
        yield Score("toxicity", score, {"words": _strongest(parts.mean(axis=0), known)})

    def _calibrated(self, sums: NDArray[np.float64]) -> float:
        """The mean of the five probabilities (Platt scaling)."""
        return float(np.mean(1 / (1 + np.exp(self._slope * (sums + self._bias) + self._offset))))


def _strongest(parts: NDArray[np.float64], known: list[tuple[int, int, str]]) -> list[str]:
    ranked = np.argsort(-parts)[:MOST_WORDS]
    return [known[at][2] for at in ranked if parts[at] > 0]


def _arrays(content: bytes) -> Iterator[NDArray[Any]]:
    file = io.BytesIO(content)
    while file.tell() < len(content):
        yield np.load(file, allow_pickle=False)
