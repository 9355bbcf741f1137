"""Generates terms and texts for rules: English-like words by frequency, and some evasions."""

from __future__ import annotations

import random

from models.rules.starter_list import load

KILOBYTE = 1024
_SYLLABLES = """
ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo ya ze sh th st tr
""".split()
_COMMON = """
the of and to in a is that it for was on are with as they at be this have from or had by not but
what all were we when your can said there use an each which she do how their if will up about
out many then them these so some her would make like him into time has look two more table chair
phone good condition collection only please call after price nice small large used new sell
house garden delivery class glass analysis assess document title
""".split()


def terms_of(chance: random.Random, count: int) -> list[str]:
    """Starter words and random ones, two thirds words and one third phrases."""
    listed = dict.fromkeys(row.pattern for row in load() if row.kind in ("word", "phrase"))
    terms = [term for term in listed if term.isascii() and len(term) > 3][: count // 10]
    while len(terms) < count:
        words = [_word(chance) for _ in range(1 if chance.random() < 2 / 3 else 2)]
        terms.append(" ".join(words))
    chance.shuffle(terms)
    return terms


def _word(chance: random.Random) -> str:
    return "".join(chance.choices(_SYLLABLES, k=chance.randint(3, 5)))


def text_of(chance: random.Random, terms: list[str]) -> str:
    """About 1 KB of sentences; one in ten contains a term in leetspeak."""
    words: list[str] = []
    while sum(map(len, words)) + len(words) < KILOBYTE:
        words += [*chance.choices(_COMMON, k=chance.randint(5, 14))]
        words[-1] += chance.choice([".", ".", "!", ",", "?"])
    if chance.random() < 0.1:
        words[len(words) // 2] = chance.choice(terms).replace("i", "1").replace("a", "@")
    return " ".join(words)[:KILOBYTE]
