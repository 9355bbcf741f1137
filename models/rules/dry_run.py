"""Dry run of a rule: what it would match in a text and in recent submissions. Stores nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import peewee

from models.clients.languages import clients_using, default_languages
from models.labels.label_index import NO_LABEL
from models.moderation.decision import Decision
from models.rules import inflections
from models.rules.matcher.matcher import Match, Matcher, RuleSpec
from models.rules.rule import FIELDS, Rule, check
from models.rules.rule_set import RuleSet, check_language
from models.rules.text_check import outermost
from models.submissions.submission import Submission
from models.verdict import REJECTED

LAST = 1000  # recent submissions that are searched
LONGEST = 20_000  # characters of a description that are searched
SHOWN = 12  # hits shown
SECONDS = 0.6  # time limit of the search
SPANS = 4  # matches shown per text
AROUND = 60  # characters shown before and after a match

Segments = list[tuple[str, bool]]
Run = Callable[..., Any]


@dataclass(slots=True)
class Hit:
    """A submission that the rule would match."""

    submission: Submission
    title: Segments
    description: Segments
    person: str = ""  # a moderator's verdict on it, if any


@dataclass(slots=True)
class DryRun:
    """What a rule would match; ``false`` counts hits on which moderators decided otherwise.

    ``forms`` are the inflected forms that it matches too.
    """

    action: str
    forms: tuple[str, ...] = ()
    text: Segments = field(default_factory=list)
    matches: int = 0
    looked: int = 0
    hits: list[Hit] = field(default_factory=list)
    excepted: int = 0
    approved: int = 0
    rejected: int = 0
    milliseconds: int = 0

    @property
    def false(self) -> int:
        """The number of likely false positives."""
        return self.rejected if self.action == "allow" else self.approved


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule that is tried; an empty ``language`` is every language."""

    kind: str
    pattern: str
    action: str
    language: str = ""
    ignore_accents: bool = False
    inflections: bool = False

    def forms(self, languages: Sequence[str]) -> tuple[str, ...]:
        """Its inflected forms in its language, or in these if it is of every language."""
        if not self.inflections or self.kind not in inflections.KINDS:
            return ()
        return inflections.forms(self.pattern, (self.language,) if self.language else languages)


def run(draft: Draft, text: str = "", *, run_in_thread: Run | None = None) -> DryRun:
    """Try the rule; raises Invalid for an invalid one. ``run_in_thread`` runs the CPU work."""
    draft = replace(draft, pattern=draft.pattern.strip())
    check(draft.kind, draft.pattern, draft.action)
    check_language(draft.language)
    languages = default_languages()
    forms = draft.forms(languages)
    facts = (draft.kind, draft.pattern, draft.action, NO_LABEL, draft.ignore_accents)
    spec = RuleSpec(0, *facts, forms)
    exceptions = [] if draft.action == "allow" else _exceptions([*languages, draft.language])
    matcher = Matcher([spec, *exceptions])
    begun = time.monotonic()
    rows = _last(clients_using(draft.language) if draft.language else set())
    run_in_thread = run_in_thread or (lambda call, *values: call(*values))
    result = run_in_thread(_search, matcher, rows, draft.action, text[:LONGEST])
    result.forms = forms
    _add_decisions(result)
    result.milliseconds = round((time.monotonic() - begun) * 1000)
    return result


def _exceptions(languages: Sequence[str]) -> list[RuleSpec]:
    """The active exceptions of these languages and of every language."""
    columns = (Rule.id, Rule.kind, Rule.pattern, Rule.action, Rule.label, Rule.ignore_accents)
    active = (Rule.action == "allow") & Rule.active & Rule.removed_at.is_null()
    applies = RuleSet.language.in_(["", *languages])
    query = Rule.select(*columns).join(RuleSet).where(active, applies)
    return [RuleSpec(*row) for row in query.tuples()]


def _last(clients: set[int]) -> list[Submission]:
    """The most recent submissions, of these clients if any; ids are in order of time."""
    description = peewee.fn.LEFT(Submission.description, LONGEST).alias("description")
    columns = (Submission.id, Submission.title, description, Submission.user_id)
    more = (Submission.verdict, Submission.created_at, Submission.client)
    rows = Submission.select(*columns, *more).order_by(Submission.id.desc()).limit(LAST)
    return [row for row in rows if not clients or row.client_id in clients]


def _search(matcher: Matcher, rows: Sequence[Submission], action: str, text: str) -> DryRun:
    result = DryRun(action)
    matches, _ = _matches(matcher, text)
    result.text, result.matches = segments(text, matches, around=len(text)), len(matches)
    until = time.monotonic() + SECONDS
    for row in rows:
        if time.monotonic() > until:
            break
        result.looked += 1
        spans = [_matches(matcher, getattr(row, name)) for name in FIELDS]
        if any(hit for hit, _ in spans):
            title, description = (
                segments(getattr(row, name), hit[:SPANS])
                for name, (hit, _) in zip(FIELDS, spans, strict=True)
            )
            result.hits.append(Hit(row, title, description))
        elif any(excepted for _, excepted in spans):
            result.excepted += 1
    return result


def _matches(matcher: Matcher, text: str) -> tuple[list[Match], bool]:
    """The rule's matches outside of exceptions, and whether any match was inside one."""
    if not text:
        return [], False
    matches = outermost(matcher.find(text))
    ours = [match for match in matches if match.rule.id == 0]
    if ours and len(ours) < len(matches):
        allowed = [(match.start, match.end) for match in matches if match.rule.id]
        kept = [
            match
            for match in ours
            if not any(start <= match.start and match.end <= end for start, end in allowed)
        ]
        return kept, len(kept) < len(ours)
    return ours, False


def segments(text: str, matches: Sequence[Match], around: int = AROUND) -> Segments:
    """The text in pieces, True for matched ones; text far from a match is cut."""
    parts: Segments = []
    done = 0
    for match in sorted(matches, key=lambda found: (found.start, -found.end)):
        start = max(match.start, done)
        if start >= match.end:
            continue
        parts += _between(text[done:start], around, first=done == 0, last=False)
        parts.append((text[start : match.end], True))
        done = match.end
    return parts + _between(text[done:], around, first=done == 0, last=True)


def _between(text: str, around: int, *, first: bool, last: bool) -> Segments:
    room = around if first != last else 2 * around
    if len(text) > room:
        head = "" if first and not last else text[: 2 * around if first else around]
        tail = "" if last else text[-around:]
        text = f"{head}…{tail}"
    return [(text, False)] if text else []


def _add_decisions(result: DryRun) -> None:
    """Add moderators' verdicts on the hits: the last decision of each that was not undone."""
    ids: list[UUID] = [hit.submission.id for hit in result.hits]
    if not ids:
        return
    undone = Decision.alias()
    query = (
        Decision.select(Decision.submission_id, Decision.to_verdict)
        .where(
            Decision.submission.in_(ids),
            Decision.moderator.is_null(False),
            Decision.undoes.is_null(),
            ~peewee.fn.EXISTS(undone.select().where(undone.undoes == Decision.id)),
        )
        .order_by(Decision.id)
    )
    verdicts = dict(query.tuples())
    for hit in result.hits:
        hit.person = verdicts.get(hit.submission.id, "")
    result.rejected = sum(hit.person == REJECTED for hit in result.hits)
    result.approved = sum(hit.person == "approved" for hit in result.hits)
    result.hits.sort(key=lambda hit: not hit.person)  # hits with a decision first
