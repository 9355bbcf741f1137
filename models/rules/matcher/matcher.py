"""The matcher: which rules a text trips, and where.

Three finders share the work, each linear in the text and flat in the number of rules: `Terms` for
words and phrases, `Domains` for hosts, and RE2 for regular expressions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from time import thread_time
from typing import Any

import re2

from models.rules.matcher.domains import Domains, canonical_host
from models.rules.matcher.normalise import Folded
from models.rules.matcher.terms import Terms

KINDS = ("word", "phrase", "regex", "domain")
MAX_MATCHES = 200
MAX_PATTERN = 500  # characters
MAX_PROGRAM = 2_500  # RE2's instructions; at worst each is tried at each letter, 2 s for 100,000
MAX_MEMORY = 1 << 20  # bytes of RE2 a regex, which a hostile text may fill
MAX_SECONDS = 2.0  # of this thread for all regexes on one text; the rest is left to a person
_REGEX_GROUP = 50  # regexes asked in one pass whether any of them matches


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule as the matcher needs it. `kind` is one of KINDS; `action` reject, review or allow."""

    id: int
    kind: str
    pattern: str
    action: str
    label: str


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that a text trips. `text` is `original[start:end]`, in characters."""

    rule: RuleSpec
    start: int
    end: int
    text: str


# What `find` says of a text whose regexes took too long: no rule's match, but no clean text either.
UNFINISHED = RuleSpec(-1, "regex", "", "review", "error")


class PatternError(ValueError):
    """A pattern that no matcher can use; the message says why, for the person who wrote it."""


def validate(kind: str, pattern: str) -> None:
    """Raises PatternError where `Matcher` could not use the pattern."""
    if kind not in KINDS:
        raise PatternError(f"A rule is a word, a phrase, a regex or a domain, not “{kind}”.")
    if not pattern.strip():
        raise PatternError("The pattern is empty.")
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"The pattern is longer than {MAX_PATTERN} characters.")
    _VALIDATORS[kind](pattern)


def _validate_word(pattern: str) -> None:
    if len(pattern.split()) > 1:
        raise PatternError("A word has no spaces; make it a phrase.")
    _validate_phrase(pattern)


def _validate_phrase(pattern: str) -> None:
    bare = pattern.strip()
    if len(bare) == 1 and bare.isascii():
        raise PatternError("A single letter would match far too much.")
    if not any(char.isprintable() and not char.isspace() for char in bare):
        raise PatternError("The pattern has nothing that can be seen.")


def _validate_regex(pattern: str) -> None:
    expression = _compile(pattern)
    if expression.programsize > MAX_PROGRAM:
        raise PatternError(
            "The regular expression would take too long; count less with {…}, use \\pL less."
        )
    hits = [*expression.finditer(""), *expression.finditer("a 1.")]
    if any(hit.start() == hit.end() for hit in hits):
        raise PatternError("The regular expression matches empty text, so it would match always.")


def _validate_domain(pattern: str) -> None:
    if not canonical_host(pattern):
        raise PatternError("A domain looks like example.com, without spaces.")


_VALIDATORS = {
    "word": _validate_word,
    "phrase": _validate_phrase,
    "regex": _validate_regex,
    "domain": _validate_domain,
}


def _compile(pattern: str) -> Any:
    """An RE2 expression, blind to case. `\\w`, `\\b` and `\\d` know ASCII only (use `\\pL`)."""
    options = re2.Options()
    options.case_sensitive = False
    options.never_capture = True  # only the whole match counts, and names may repeat in a group
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        raise PatternError(f"The regular expression cannot be used: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


class Matcher:
    """All active rules, compiled. Immutable: build a new one on a change (0.2 s for 10,000)."""

    def __init__(self, rules: Iterable[RuleSpec]) -> None:
        self.broken: list[tuple[RuleSpec, str]] = []
        sound: dict[str, list[RuleSpec]] = {kind: [] for kind in KINDS}
        for rule in rules:
            try:
                validate(rule.kind, rule.pattern)
            except PatternError as error:
                self.broken.append((rule, str(error)))
            else:
                sound[rule.kind].append(rule)
        self._worded = [*sound["word"], *sound["phrase"]]
        self._named = sound["domain"]
        self._expressed = sound["regex"]
        self._terms = Terms(rule.pattern for rule in self._worded)
        self._domains = Domains(rule.pattern for rule in self._named)
        self._regexes = _Regexes([rule.pattern for rule in self._expressed])

    def find(self, text: str) -> list[Match]:
        """All hits, `allow` ones too, ordered by start; at most MAX_MATCHES. Never raises."""
        folded = Folded(text)
        spans = (
            (self._worded, self._terms.find(folded, MAX_MATCHES)),
            (self._named, self._domains.find(folded, MAX_MATCHES)),
            ([*self._expressed, UNFINISHED], self._regexes.find(text, MAX_MATCHES)),
        )
        found = {
            Match(rules[key], start, end, text[start:end])
            for rules, hits in spans
            for key, start, end in hits
        }
        return sorted(found, key=_order)[:MAX_MATCHES]


def _order(match: Match) -> tuple[bool, int, int, int]:
    return match.rule is not UNFINISHED, match.start, -match.end, match.rule.id


def effective(matches: list[Match]) -> list[Match]:
    """The reject and review hits, but those inside the span of an `allow` hit (an exception)."""
    allowed = [(match.start, match.end) for match in matches if match.rule.action == "allow"]
    return [
        match
        for match in matches
        if match.rule is UNFINISHED
        or (
            match.rule.action != "allow"
            and not any(start <= match.start and match.end <= end for start, end in allowed)
        )
    ]


class _Regexes:
    """Regular expressions, asked in groups first: most texts match none.

    A group is one expression that matches where any of its members does, no larger than one may
    be, so that no question takes longer than the longest regex. (RE2's own `Set` answers "no
    match" when it runs out of memory.)
    """

    def __init__(self, patterns: list[str]) -> None:
        self._members = [_compile(pattern) for pattern in patterns]
        self._groups = [
            (keys, _compile_any([patterns[key] for key in keys]))
            for keys in _grouped([member.programsize for member in self._members])
        ]

    def find(self, text: str, limit: int) -> Iterator[tuple[int, int, int]]:
        """At most `limit` hits of each: key, start and end.

        The key behind the last one says that MAX_SECONDS ended it before all were asked.
        """
        if not self._groups:
            return
        raw = text.encode("utf-8", "replace")  # a lone surrogate becomes one "?"
        sound = raw.decode("utf-8")
        until = thread_time() + MAX_SECONDS
        for keys, gate in self._groups:
            if gate is None or gate.search(raw):
                for key in keys:
                    hits = islice(self._members[key].finditer(sound), limit)
                    yield from ((key, *hit.span()) for hit in hits if hit.end() > hit.start())
                    if thread_time() > until:
                        break
            if thread_time() > until:
                yield len(self._members), 0, 0
                return


def _grouped(sizes: list[int]) -> Iterator[range]:
    """The keys in groups of at most _REGEX_GROUP, together no larger than MAX_PROGRAM."""
    first, size = 0, 0
    for key, more in enumerate(sizes):
        if key > first and (size + more > MAX_PROGRAM or key - first == _REGEX_GROUP):
            yield range(first, key)
            first, size = key, 0
        size += more
    if sizes:
        yield range(first, len(sizes))


def _compile_any(patterns: list[str]) -> Any:
    """One expression for all; None where there is but one, or they are too large together."""
    if len(patterns) == 1:
        return None
    try:
        return _compile("|".join(f"(?:{pattern})" for pattern in patterns))
    except PatternError:
        return None
