"""The language of a text, by py3langid: a naive Bayes model of byte sequences, in numpy.

It was chosen by measurement (docs/detectors.md): of the kept detectors it errs least on short texts
and says best how sure it is. Its model takes 80 MB and two seconds to load, in each process that
asks; a process that does not ask has none of it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from tasks.detectors.base import DetectorDown

# ISO 639-1. Fewer candidates make fewer errors: with all 142 of the model, one short text in eight
# has the wrong one.
LANGUAGES = (
    *("ar", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "id"),
    *("it", "ja", "ko", "nl", "pl", "pt", "ro", "ru", "sv", "tr", "uk", "vi", "zh"),
)
SURE = 0.7  # from here 998 of 1000 answers are right
MOST_CHARACTERS = 2000  # of a text that are read


class Language(NamedTuple):
    """A language (ISO 639-1; "" if it is not sure) and how sure it is, 0 to 1."""

    code: str
    sure: float


def language_of(text: str, among: Sequence[str] = LANGUAGES) -> Language:
    """The language that a text is written in, among these. Raises `DetectorDown`.

    A text without two letters in a row has none: digits, signs, a single letter.
    """
    words = " ".join(word for word in text[:MOST_CHARACTERS].split() if _is_word(word))
    if not words:
        return Language("", 0.0)
    code, sure = _identifier(tuple(among)).classify(words)
    return Language(code if sure >= SURE else "", float(sure))


def _is_word(part: str) -> bool:
    """Whether a part of a text is a word; links and numbers have no language."""
    return sum(map(str.isalpha, part)) >= 2 and "://" not in part and "@" not in part


@functools.lru_cache(maxsize=2)
def _identifier(among: tuple[str, ...]) -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise DetectorDown("The extra 'language' is not installed (py3langid).") from error
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(among))
    return identifier
