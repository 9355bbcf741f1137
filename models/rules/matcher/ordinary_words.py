"""Common English words, so that two of them side by side are not read as one word.

"as-shole" is one word that was split, "hand⏎job" are two. The list is short and English: it only
decides where a join is doubtful, never whether a rule matches a word that is written as one.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PATH = Path(__file__).parent.parent / "data" / "ordinary_words.txt"
LONGEST = 7  # letters of the words in the file
_WORD = re.compile(r"\w+")


def is_ordinary(word: str) -> bool:
    """Whether the word (lower case, two letters or more) is in the list."""
    return word in _words()


def is_mostly_ordinary(text: str) -> bool:
    """Whether more than half of the words of a text are in the list, so the text is English."""
    words = [word for word in _WORD.findall(text.lower()) if len(word) > 1]
    return sum(map(is_ordinary, words)) > len(words) / 2


def are_ordinary(joined: str, dividers: re.Pattern[str]) -> bool:
    """Whether a joined word is ordinary words with dividers between them ("hero/in")."""
    parts = dividers.split(joined.lower())
    return len(parts) > 1 and all(map(is_ordinary, parts))


@cache
def _words() -> frozenset[str]:
    return frozenset(PATH.read_text("utf-8").split())
