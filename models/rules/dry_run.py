"""Trying a rule: what it would hit in a text and in the last submissions. Nothing is stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import peewee

from models.moderation.decision import Decision
from models.rules.matcher.matcher import Match, Matcher, RuleSpec
from models.rules.rule import FIELDS, Rule, check
from models.submissions.submission import Submission
from models.verdict import LABELS, REJECTED

LAST = 1000  # submissions that are looked through
LONGEST = 20_000  # characters of a description that are looked through
SHOWN = 12  # hits that are shown
SECONDS = 0.6  # after which the search ends with what it has
SPANS = 4  # matches that are shown of a text
AROUND = 60  # characters shown before and after a match

Segments = list[tuple[str, bool]]
Run = Callable[..., Any]


@dataclass(slots=True)
class Hit:
    """A submission that the rule would hit."""

    submission: Submission
    title: Segments
    description: Segments
    person: str = ""  # the verdict that a moderator gave it


@dataclass(slots=True)
class Trial:
    """What a rule would hit; ``false`` counts those that people judged otherwise."""

    action: str
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
        """Likely false hits."""
        return self.rejected if self.action == "allow" else self.approved


def run(kind: str, pattern: str, action: str, text: str = "", *, apart: Run | None = None) -> Trial:
    """Try the rule; raises Invalid where it is none. ``apart`` runs what burns elsewhere."""
    check(kind, pattern, action, LABELS[-1])
    spec = RuleSpec(0, kind, pattern.strip(), action, LABELS[-1])
    matcher = Matcher([spec, *([] if action == "allow" else _exceptions())])
    begun = time.monotonic()
    rows = _last()
    apart = apart or (lambda call, *values: call(*values))
    trial = apart(_search, matcher, rows, action, text[:LONGEST])
    _ask_people(trial)
    trial.milliseconds = round((time.monotonic() - begun) * 1000)
    return trial


def _exceptions() -> list[RuleSpec]:
    columns = (Rule.id, Rule.kind, Rule.pattern, Rule.action, Rule.label)
    standing = (Rule.action == "allow") & Rule.active & Rule.removed_at.is_null()
    return [RuleSpec(*row) for row in Rule.select(*columns).where(standing).tuples()]


def _last() -> list[Submission]:
    """The last submissions: their numbers are in the order of time."""
    description = peewee.fn.LEFT(Submission.description, LONGEST).alias("description")
    columns = (Submission.id, Submission.title, description, Submission.user_id)
    more = (Submission.verdict, Submission.created_at)
    return list(Submission.select(*columns, *more).order_by(Submission.id.desc()).limit(LAST))


def _search(matcher: Matcher, rows: Sequence[Submission], action: str, text: str) -> Trial:
    trial = Trial(action)
    found, _ = _matches(matcher, text)
    trial.text, trial.matches = segments(text, found, around=len(text)), len(found)
    until = time.monotonic() + SECONDS
    for row in rows:
        if time.monotonic() > until:
            break
        trial.looked += 1
        spans = [_matches(matcher, getattr(row, name)) for name in FIELDS]
        if any(hit for hit, _ in spans):
            title, description = (
                segments(getattr(row, name), hit[:SPANS])
                for name, (hit, _) in zip(FIELDS, spans, strict=True)
            )
            trial.hits.append(Hit(row, title, description))
        elif any(excepted for _, excepted in spans):
            trial.excepted += 1
    return trial


def _matches(matcher: Matcher, text: str) -> tuple[list[Match], bool]:
    """What the tried rule finds, without what lies inside an exception, and if there was such."""
    if not text:
        return [], False
    found = matcher.find(text)
    ours = [match for match in found if match.rule.id == 0]
    if ours and len(ours) < len(found):
        allowed = [(match.start, match.end) for match in found if match.rule.id]
        kept = [
            match
            for match in ours
            if not any(start <= match.start and match.end <= end for start, end in allowed)
        ]
        return kept, len(kept) < len(ours)
    return ours, False


def segments(text: str, matches: Sequence[Match], around: int = AROUND) -> Segments:
    """The text in pieces, True where it is matched; what is far from a match is left out."""
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


def _ask_people(trial: Trial) -> None:
    """What moderators said of the hits: the last decision of each that was not taken back."""
    ids: list[UUID] = [hit.submission.id for hit in trial.hits]
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
    said = dict(query.tuples())
    for hit in trial.hits:
        hit.person = said.get(hit.submission.id, "")
    trial.rejected = sum(hit.person == REJECTED for hit in trial.hits)
    trial.approved = sum(hit.person == "approved" for hit in trial.hits)
    trial.hits.sort(key=lambda hit: not hit.person)  # what people have judged says the most
