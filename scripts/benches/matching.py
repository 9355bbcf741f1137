"""Measures the rule matcher; `scripts/bench` prints and keeps the rows.

Each figure is the median of several rounds, with the spread (interquartile range) beside it, on
the same texts and terms for all: English-like words by frequency, one text in ten with an evasion.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from models.matching import Matcher, RuleSpec
from models.starter_rules import load

Row = dict[str, Any]
SIZES = (100, 1_000, 10_000)
ROUNDS = 9
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


def run() -> list[Row]:
    """Rows of what was measured: {what, yardstick, value, unit, spread, rounds, note}."""
    chance = random.Random(1)  # nosec B311
    terms = _terms(chance, max(SIZES))
    texts = [_text(chance, terms) for _ in range(40)]
    rows = [_ours(terms[:size], texts) for size in SIZES]
    rows += [_build(terms), _memory(terms), _starter(texts), _cyrillic(terms, chance)]
    rows += [_alternation(terms[:size], texts) for size in SIZES]
    rows.append(_better_profanity(terms, texts))
    return rows


def _terms(chance: random.Random, count: int) -> list[str]:
    """The starter words and invented ones, two thirds words and one third phrases."""
    terms = [pattern for kind, pattern, *_ in load() if kind in ("word", "phrase")]
    terms = [term for term in terms if term.isascii() and len(term) > 3][: count // 10]
    while len(terms) < count:
        words = [_word(chance) for _ in range(1 if chance.random() < 2 / 3 else 2)]
        terms.append(" ".join(words))
    chance.shuffle(terms)
    return terms


def _word(chance: random.Random) -> str:
    return "".join(chance.choices(_SYLLABLES, k=chance.randint(3, 5)))


def _text(chance: random.Random, terms: list[str]) -> str:
    """About 1 KB of sentences; one in ten names a term in leetspeak."""
    words: list[str] = []
    while sum(map(len, words)) + len(words) < KILOBYTE:
        words += [*chance.choices(_COMMON, k=chance.randint(5, 14))]
        words[-1] += chance.choice([".", ".", "!", ",", "?"])
    if chance.random() < 0.1:
        words[len(words) // 2] = chance.choice(terms).replace("i", "1").replace("a", "@")
    return " ".join(words)[:KILOBYTE]


def _matcher(terms: list[str]) -> Matcher:
    rules = [("phrase" if " " in term else "word", term) for term in terms]
    return Matcher([RuleSpec(at, *rule, "review", "other") for at, rule in enumerate(rules)])


def _ours(terms: list[str], texts: list[str]) -> Row:
    yardstick = f"{len(terms):,} terms, normalisation included"
    return _timed("match 1 KB", yardstick, _matcher(terms).find, texts, ROUNDS)


def _starter(texts: list[str]) -> Row:
    rows = [row for row in load() if row[4]]
    matcher = Matcher([RuleSpec(at, *row[:4]) for at, row in enumerate(rows)])
    return _timed("match 1 KB", "active starter rules", matcher.find, texts, ROUNDS)


def _cyrillic(terms: list[str], chance: random.Random) -> Row:
    words = ["".join(chance.choices("абвгдежзиклмнопрстуфхчшыьюя", k=6)) for _ in range(500)]
    texts = [" ".join(chance.choices(words, k=150))[:KILOBYTE] for _ in range(40)]
    yardstick = f"{len(terms):,} terms, 1,024 Cyrillic characters"
    return _timed("match 1 KB", yardstick, _matcher(terms).find, texts, ROUNDS)


def _alternation(terms: list[str], texts: list[str]) -> Row:
    """The usual alternative, which sees through no evasion: one `re` of all terms."""
    longest_first = sorted(terms, key=len, reverse=True)
    found = re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE)
    yardstick = f"{len(terms):,} terms, one compiled `re` alternation, no normalisation"
    return _timed("match 1 KB", yardstick, found.findall, texts, 3)


def _better_profanity(terms: list[str], texts: list[str]) -> Row:
    yardstick = f"{len(terms):,} terms, better-profanity"
    try:
        from better_profanity import Profanity
    except ImportError:
        return _row("match 1 KB", yardstick, None, "µs", note="better-profanity is not installed")
    profanity = Profanity()
    profanity.load_censor_words(terms)
    return _timed("match 1 KB", yardstick, profanity.contains_profanity, texts[:2], 3)


def _build(terms: list[str]) -> Row:
    times = [_seconds(lambda: _matcher(terms)) * 1e3 for _ in range(ROUNDS)]
    return _row("build", f"{len(terms):,} terms", times, "ms")


def _memory(terms: list[str]) -> Row:
    """What Python's allocator holds; the automaton's own nodes are not in it."""
    tracemalloc.start()
    matcher = _matcher(terms)
    held = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    del matcher
    return _row("memory", f"{len(terms):,} terms", [held], "MB")


def _timed(
    what: str, yardstick: str, function: Callable[[str], object], texts: list[str], rounds: int
) -> Row:
    for text in texts:
        function(text)  # warm the tables
    times = [
        _seconds(lambda: [function(text) for text in texts]) / len(texts) * 1e6
        for _ in range(rounds)
    ]
    return _row(what, yardstick, times, "µs")


def _seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def _row(what: str, yardstick: str, times: list[float] | None, unit: str, note: str = "") -> Row:
    row: Row = {"what": what, "yardstick": yardstick, "value": None, "unit": unit, "note": note}
    if times is not None:
        low, _, high = statistics.quantiles(times, n=4) if len(times) > 1 else (0.0, 0.0, 0.0)
        row |= {"value": round(statistics.median(times), 2), "spread": round(high - low, 2)}
        row["rounds"] = len(times)
    return row


if __name__ == "__main__":
    for measured in run():
        print(json.dumps(measured, ensure_ascii=False))
