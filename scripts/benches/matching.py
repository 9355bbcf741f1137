"""The rule matcher compared with common ways to find many terms in a text."""

from __future__ import annotations

import random
import re
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator

from models.rules.matcher.matcher import Matcher, RuleSpec
from models.rules.starter_list import load
from models.rules.text_check import Matchers, SetRule
from scripts.benches.figures import Figure, Measure, growing
from scripts.benches.http import Plan
from scripts.benches.terms import KILOBYTE, terms_of, text_of

Find = Callable[[str], object]
SIZES = (100, 1_000, 10_000)
ROUNDS = 9
NOTE = "the same texts and terms for all; better-profanity is given two of the forty texts"


def rules(plan: Plan) -> list[Figure]:
    """Microseconds per text of 1 KB, compared with common ways to match."""
    quick = plan.rounds == 1  # skips the slowest: better-profanity and 10,000 terms
    rounds, slow_rounds, sizes = (3, 1, SIZES[:-1]) if quick else (ROUNDS, 3, SIZES)
    chance = random.Random(1)  # nosec B311
    terms = terms_of(chance, max(SIZES))
    texts = [text_of(chance, terms) for _ in range(40)]
    figures, ours = [], {}
    for size in sizes:
        times = _timed(_matcher(terms[:size]).find, texts, rounds)
        ours[size] = statistics.median(times)
        what = f"match 1 KB: {size:,} terms, normalisation included"
        for name, least, make, share in YARDSTICKS:
            other = _timed(make(terms[:size]), texts[:share], slow_rounds)
            goal, held = f"≥ {least} ×", ratio_of(other, times)
            figures.append(
                Figure(
                    "rules", what, Measure.of(times, "µs"), name, Measure.of(other, "µs"), held,
                    *((goal, held >= least) if size == max(SIZES) else ()), note=NOTE,
                )
            )  # fmt: skip
    return [*figures, growing("rules", "match 1 KB", ours), *_more(terms, texts, chance, rounds)]


def ratio_of(others: list[float], ours: list[float]) -> float:
    """The ratio of the others' time to ours."""
    return statistics.median(others) / statistics.median(ours)


def _more(
    terms: list[str], texts: list[str], chance: random.Random, rounds: int
) -> Iterator[Figure]:
    """More figures of the matcher."""
    starter = _starter_rules()
    for what, find, asked in (
        ("the active starter rules", starter.find, texts),
        ("10,000 terms, 1,024 Cyrillic characters", _matcher(terms).find, _cyrillic(chance)),
    ):
        yield Figure("rules", f"match 1 KB: {what}", Measure.of(_timed(find, asked, rounds), "µs"))
    builds = [_seconds(lambda: _matcher(terms)) * 1e3 for _ in range(rounds)]
    yield Figure("rules", "build: 10,000 terms", Measure.of(builds, "ms"))
    yield Figure("rules", "memory: 10,000 terms", Measure(_memory(terms), "MB"))


def _starter_rules() -> Matcher:
    """The rules of a new installation: English and every language, with inflected forms."""
    active = enumerate(row for row in load() if row.active)
    rules = (SetRule(RuleSpec(at, *row[:4]), row.language, row.inflections) for at, row in active)
    return Matchers(rules).of(None)


def _matcher(terms: list[str]) -> Matcher:
    rules = [("phrase" if " " in term else "word", term) for term in terms]
    return Matcher([RuleSpec(at, *rule, "review", "other") for at, rule in enumerate(rules)])


def _cyrillic(chance: random.Random) -> list[str]:
    words = ["".join(chance.choices("абвгдежзиклмнопрстуфхчшыьюя", k=6)) for _ in range(500)]
    return [" ".join(chance.choices(words, k=150))[:KILOBYTE] for _ in range(40)]


def _alternation(terms: list[str]) -> Find:
    """The common alternative, which detects no evasion: one `re` of all terms."""
    longest_first = sorted(terms, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE).findall


def _better_profanity(terms: list[str]) -> Find:
    from better_profanity import Profanity  # from the extra `bench`, which only this row needs

    profanity = Profanity()
    profanity.load_censor_words(terms)
    return profanity.contains_profanity


# name, required ratio, factory, number of texts
YARDSTICKS = (
    ("one compiled `re` alternation, without normalisation", 10, _alternation, 40),
    ("better-profanity", 100, _better_profanity, 2),
)


def _memory(terms: list[str]) -> float:
    """Megabytes held by Python's allocator, without the automaton's nodes."""
    tracemalloc.start()
    matcher = _matcher(terms)
    held = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    del matcher
    return held


def _timed(function: Find, texts: list[str], rounds: int) -> list[float]:
    """Microseconds per text in each round."""
    for text in texts:
        function(text)  # warm the tables
    return [
        _seconds(lambda: [function(text) for text in texts]) / len(texts) * 1e6
        for _ in range(rounds)
    ]


def _seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
