"""Checks texts with the active rules of a client's languages."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from models.clients.languages import default_languages
from models.database.config_revision import RevisionCache
from models.rules import inflections
from models.rules.matcher.matcher import (
    UNFINISHED,
    Match,
    Matcher,
    PatternError,
    RuleSpec,
    effective,
    validate,
)
from models.rules.rule import FIELDS, Rule
from models.rules.rule_set import RuleSet
from models.verdict import Finding

MOST_MADE = 16  # matchers of different selections of languages, in each process
log = logging.getLogger("sluice.rules")


@dataclass(frozen=True, slots=True)
class Broken:
    """Stored rules that this version cannot compile: an older one could, or SQL wrote them.

    ``reasons`` by the rule's number; ``ignored`` are the numbers of those that are switched on.
    """

    reasons: dict[int, str]
    ignored: tuple[int, ...]

    def summary(self) -> str:
        """The ignored ones in one line; empty if there are none."""
        if not self.ignored:
            return ""
        first = self.ignored[0]
        more = f" (and {len(self.ignored) - 1} more)" if len(self.ignored) > 1 else ""
        return f"rule {first} does not compile: {self.reasons[first]}{more}"


@dataclass(frozen=True, slots=True)
class SetRule:
    """A rule with the language of its set, and whether it matches inflected forms too."""

    spec: RuleSpec
    language: str
    inflections: bool

    def compiled_for(self, languages: Collection[str]) -> RuleSpec:
        """The rule with its inflected forms; a set of every language uses those of the client."""
        if not self.inflections or self.spec.kind not in inflections.KINDS:
            return self.spec
        own = (self.language,) if self.language else sorted(languages)
        return replace(self.spec, forms=inflections.forms(self.spec.pattern, own))


class Matchers:
    """The active rules, and a matcher for each selection of languages that clients use.

    Rules of other languages are not in a matcher. It is built when the first text needs it, which
    takes 0.1 to 0.3 s; the MOST_MADE that were built last are kept, some megabytes each. Two
    threads may build the same one at once: the later replaces an equal one, so this is safe.
    """

    def __init__(self, rules: Iterable[SetRule], defaults: Collection[str] = ("en",)) -> None:
        self._rules = tuple(rules)
        self._defaults = frozenset(defaults)
        self._known = {rule.language for rule in self._rules} | inflections.LANGUAGES
        self._made: dict[frozenset[str], Matcher] = {}
        self._logged: set[int] = set()

    def of(self, languages: Collection[str] | None) -> Matcher:
        """The matcher for these languages; None is the server's default."""
        key = self._defaults if languages is None else frozenset(languages)
        key &= self._known
        made = self._made.get(key)
        if made is None:
            made = Matcher(self._specs(key))
            self._made = dict([*self._made.items(), (key, made)][-MOST_MADE:])
            self._log(made)
        return made

    def _specs(self, languages: frozenset[str]) -> list[RuleSpec]:
        """The rules of these languages; of the same rule in several sets, the first one.

        A form that is a rule of its own, or a form of an earlier rule, would match twice.
        """
        specs: dict[tuple[str | bool, ...], RuleSpec] = {}
        for rule in self._rules:
            if not rule.language or rule.language in languages:
                spec = rule.compiled_for(languages)
                key = (spec.kind, spec.pattern, spec.action, spec.label, spec.ignore_accents)
                specs.setdefault(key, spec)
        seen = {(spec.pattern.lower(), spec.action, spec.label) for spec in specs.values()}
        return [_with_new_forms(spec, seen) for spec in specs.values()]

    def _log(self, made: Matcher) -> None:
        for spec, reason in made.broken:
            if spec.id not in self._logged:
                self._logged.add(spec.id)
                log.error("rule %d does not compile and is ignored: %s", spec.id, reason)


def _with_new_forms(spec: RuleSpec, seen: set[tuple[str, str, str]]) -> RuleSpec:
    """The rule without the forms that are in ``seen``, to which the others are added."""
    if not spec.forms:
        return spec
    keys = {form: (form.lower(), spec.action, spec.label) for form in spec.forms}
    new = tuple(form for form, key in keys.items() if key not in seen)
    seen.update(keys.values())
    return replace(spec, forms=new)


def _matchers() -> Matchers:
    columns = (Rule.id, Rule.kind, Rule.pattern, Rule.action, Rule.label)
    more = (Rule.ignore_accents, RuleSet.language, Rule.inflections)
    rows = (
        Rule.select(*columns, *more)
        .join(RuleSet)
        .where(Rule.active, Rule.removed_at.is_null())
        .order_by(Rule.id)
    )
    rules = [SetRule(RuleSpec(*row[:6]), *row[6:]) for row in rows.tuples()]
    return Matchers(rules, default_languages())


def _broken() -> Broken:
    columns = (Rule.id, Rule.kind, Rule.pattern, Rule.active)
    rows = Rule.select(*columns).where(Rule.removed_at.is_null()).order_by(Rule.id)
    reasons, ignored = {}, []
    for number, kind, pattern, active in rows.tuples():
        try:
            validate(kind, pattern)
        except PatternError as error:
            reasons[number] = str(error)
            ignored += [number] * active
    return Broken(reasons, tuple(ignored))


matchers = RevisionCache("rules", _matchers)
broken = RevisionCache(
    "rules", _broken
)  # without the matchers' memory, for processes that match no text


def check_text(
    title: str, description: str, languages: Collection[str] | None = None
) -> list[Finding]:
    """Findings of the active rules in the texts; changes of rules take effect within 1 s.

    ``languages`` are the client's; None is the server's default.
    """
    matcher = matchers.get().of(languages)
    return [
        _finding(match, name)
        for name, text in zip(FIELDS, (title, description), strict=True)
        if text
        for match in outermost(effective(matcher.find(text)))
    ]


def outermost(matches: Iterable[Match]) -> list[Match]:
    """The matches, sorted by start, without those inside another match of the same rule.

    A word and an inflected form of it can match at the same place ("word" and "word's").
    """
    ends: dict[int, int] = {}
    kept = []
    for match in matches:
        if match.end > ends.get(match.rule.id, -1):
            kept.append(match)
            ends[match.rule.id] = match.end
    return kept


def _finding(match: Match, name: str) -> Finding:
    rule = match.rule
    if rule is UNFINISHED:
        problem = f"the regular expressions exceeded their time limit on the {name}"
        return Finding("failure", rule.label, rule.action, evidence={"problem": problem})
    evidence = {"rule": rule.id, "kind": rule.kind, "pattern": rule.pattern, "field": name}
    evidence |= {"start": match.start, "end": match.end, "text": match.text}
    return Finding("rules", rule.label, rule.action, evidence=evidence)
