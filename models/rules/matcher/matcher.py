"""The matcher: which rules a text matches, and where.

There are three finders: `Terms` for words and phrases, `Domains` for host names, and RE2 for
regular expressions. Each takes time linear in the text and independent of the number of rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from time import thread_time
from typing import Any

import re2

from models.rules.matcher.displayed import displayed
from models.rules.matcher.domains import Domains, canonical_host
from models.rules.matcher.normalise import Folded
from models.rules.matcher.terms import Terms

KINDS = ("word", "phrase", "regex", "domain")
MAX_MATCHES = 200
MAX_PATTERN = 500  # characters
MAX_PROGRAM = 2_500  # RE2 instructions; at worst each runs at every letter, 2 s for 100,000
MAX_MEMORY = 1 << 20  # bytes of RE2 memory per regex, which a hostile text may fill
MAX_SECONDS = 2.0  # thread time for all regexes on one text; after that a person reviews it
_REGEX_GROUP = 50  # regexes tested together in one pass


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule as the matcher needs it. `kind` is one of KINDS; `action` reject, review or allow.

    Accents and a dotless i in the pattern must be in the text, unless `ignore_accents`. Accents of
    the text beyond the pattern's never matter. Regexes match as they are written.

    `forms` are more spellings of a word or phrase: its inflected forms.
    """

    id: int
    kind: str
    pattern: str
    action: str
    label: str
    ignore_accents: bool = False
    forms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that a text matches. `text` is `original[start:end]`, in characters."""

    rule: RuleSpec
    start: int
    end: int
    text: str


# The result of `find` for a text whose regexes exceeded MAX_SECONDS: no rule matched, but the text
# is not known to be clean.
UNFINISHED = RuleSpec(-1, "regex", "", "review", "error")


class PatternError(ValueError):
    """An invalid pattern; the message explains the reason to its author."""


def validate(kind: str, pattern: str) -> None:
    """Raises PatternError if `Matcher` cannot use the pattern."""
    if kind not in KINDS:
        raise PatternError(f"A rule must be a word, a phrase, a regex or a domain, not “{kind}”.")
    if not pattern.strip():
        raise PatternError("The pattern is empty.")
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"The pattern is longer than {MAX_PATTERN} characters.")
    _VALIDATORS[kind](pattern)


def _validate_word(pattern: str) -> None:
    if len(pattern.split()) > 1:
        raise PatternError("A word must not contain spaces. Make it a phrase.")
    _validate_phrase(pattern)


def _validate_phrase(pattern: str) -> None:
    bare = pattern.strip()
    if len(bare) == 1 and bare.isascii():
        raise PatternError("A single letter would match far too much.")
    if not any(char.isprintable() and not char.isspace() for char in bare):
        raise PatternError("The pattern has no visible characters.")


def _validate_regex(pattern: str) -> None:
    expression = _compile(pattern)
    if expression.programsize > MAX_PROGRAM:
        raise PatternError(
            "The regular expression would take too long. Use smaller {…} counts and less \\pL."
        )
    hits = [*expression.finditer(""), *expression.finditer("a 1.")]
    if any(hit.start() == hit.end() for hit in hits):
        raise PatternError("The regular expression matches empty text, so it would match always.")


def _validate_domain(pattern: str) -> None:
    if not canonical_host(pattern):
        raise PatternError("A domain must look like example.com, without spaces.")


_VALIDATORS = {
    "word": _validate_word,
    "phrase": _validate_phrase,
    "regex": _validate_regex,
    "domain": _validate_domain,
}


def _compile(pattern: str) -> Any:
    """A case-insensitive RE2 expression. `\\w`, `\\b` and `\\d` match ASCII only (use `\\pL`)."""
    options = re2.Options()
    options.case_sensitive = False
    options.never_capture = (
        True  # only the whole match is used, and group names may repeat in a joined expression
    )
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        raise PatternError(f"The regular expression is not valid: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


class Matcher:
    """All active rules, compiled. Immutable: build a new one on a change (0.2 s for 10,000)."""

    def __init__(self, rules: Iterable[RuleSpec]) -> None:
        self.broken: list[tuple[RuleSpec, str]] = []
        valid: dict[str, list[RuleSpec]] = {kind: [] for kind in KINDS}
        for rule in rules:
            try:
                validate(rule.kind, rule.pattern)
            except PatternError as error:
                self.broken.append((rule, str(error)))
            else:
                valid[rule.kind].append(rule)
        terms = [
            (rule, spelling)
            for rule in (*valid["word"], *valid["phrase"])
            for spelling in (rule.pattern, *rule.forms)
        ]
        self._term_rules = [rule for rule, _ in terms]
        self._domain_rules = valid["domain"]
        self._regex_rules = valid["regex"]
        self._terms = Terms((spelling, rule.ignore_accents) for rule, spelling in terms)
        self._domains = Domains((rule.pattern, rule.ignore_accents) for rule in self._domain_rules)
        self._regexes = _Regexes([rule.pattern for rule in self._regex_rules])

    def find(self, text: str) -> list[Match]:
        """All matches, also of `allow` rules, by start; at most MAX_MATCHES. Never raises.

        The text is read as it is stored and as it is displayed.
        """
        budget = _Budget()
        shown = displayed(text)
        matches = {
            Match(rule, start, end, text[start:end])
            for rule, start, end in self._found(text, budget)
            if shown is None or rule.kind == "regex" or not shown.touches(start, end)
        }
        if shown is not None:
            for rule, *place in self._found(shown.text, budget):
                start, end = shown.span(*place) if rule is not UNFINISHED else (0, 0)
                matches.add(Match(rule, start, end, text[start:end]))
        return sorted(matches, key=_order)[:MAX_MATCHES]

    def _found(self, text: str, budget: _Budget) -> Iterator[tuple[RuleSpec, int, int]]:
        """The rules that match the text, with the start and end of each match."""
        folded = Folded(text)
        for rules, hits in (
            (self._term_rules, self._terms.find(folded, MAX_MATCHES)),
            (self._domain_rules, self._domains.find(folded, MAX_MATCHES)),
            ([*self._regex_rules, UNFINISHED], self._regexes.find(text, MAX_MATCHES, budget)),
        ):
            for key, start, end in hits:
                yield rules[key], start, end


def _order(match: Match) -> tuple[bool, int, int, int]:
    return match.rule is not UNFINISHED, match.start, -match.end, match.rule.id


def effective(matches: list[Match]) -> list[Match]:
    """The reject and review matches, without those inside an `allow` match (an exception)."""
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


@dataclass(slots=True)
class _Budget:
    """The thread time that is left for regexes on a text."""

    seconds: float = MAX_SECONDS


class _Regexes:
    """Regular expressions, tested in groups first, as most texts match none.

    A group is one expression that matches if any of its members does. It is not larger than a
    single regex may be, so testing it takes no longer than the longest regex. (RE2's own `Set`
    returns "no match" when it runs out of memory.)
    """

    def __init__(self, patterns: list[str]) -> None:
        self._members = [_compile(pattern) for pattern in patterns]
        self._groups = [
            (keys, _compile_any([patterns[key] for key in keys]))
            for keys in _grouped([member.programsize for member in self._members])
        ]

    def find(self, text: str, limit: int, budget: _Budget) -> Iterator[tuple[int, int, int]]:
        """At most `limit` matches of each: key, start and end.

        A final key equal to the number of regexes means that the budget was spent before all ran.
        """
        if not self._groups:
            return
        raw = text.encode("utf-8", "replace")  # a lone surrogate becomes one "?"
        decoded = raw.decode("utf-8")
        until = thread_time() + budget.seconds
        for keys, gate in self._groups:
            if gate is None or gate.search(raw):
                for key in keys:
                    hits = islice(self._members[key].finditer(decoded), limit)
                    yield from ((key, *hit.span()) for hit in hits if hit.end() > hit.start())
                    if thread_time() > until:
                        break
            if thread_time() > until:
                yield len(self._members), 0, 0
                break
        budget.seconds = until - thread_time()


def _grouped(sizes: list[int]) -> Iterator[range]:
    """The keys in groups of at most _REGEX_GROUP, each no larger than MAX_PROGRAM."""
    first, size = 0, 0
    for key, more in enumerate(sizes):
        if key > first and (size + more > MAX_PROGRAM or key - first == _REGEX_GROUP):
            yield range(first, key)
            first, size = key, 0
        size += more
    if sizes:
        yield range(first, len(sizes))


def _compile_any(patterns: list[str]) -> Any:
    """One expression for all; None for a single pattern, or if they are too large together."""
    if len(patterns) == 1:
        return None
    try:
        return _compile("|".join(f"(?:{pattern})" for pattern in patterns))
    except PatternError:
        return None
