"""The content of one policy version, and how a policy inherits from another. Pure.

A value that is not set is inherited: a surface's from its client's default policy, a client's from
the server's. Thresholds inherit one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from models.errors import Invalid
from models.verdict import Policy, Thresholds

VISIBILITIES = ("hold", "publish_first")
PARTS = Thresholds._fields
VALUES = ("sample_rate", "visibility", "publish_unchecked")
Own = Mapping[str, float | None]  # thresholds by part: a part with None means never


@dataclass(frozen=True, slots=True)
class Document:
    """What a policy sets itself; None, and what is missing in ``labels``, is inherited."""

    labels: Mapping[str, Own] = field(default_factory=dict)
    sample_rate: float | None = None
    visibility: str | None = None
    publish_unchecked: bool | None = None

    def over(self, base: Document) -> Document:
        """This document where it sets something, else ``base``."""
        names = dict.fromkeys((*base.labels, *self.labels))
        labels = {n: {**base.labels.get(n, {}), **self.labels.get(n, {})} for n in names}
        given = {n: value for n in VALUES if (value := getattr(self, n)) is not None}
        return replace(base, labels=labels, **given)

    def thresholds(self, label: str) -> Thresholds:
        """The thresholds of a label, if nothing is left to inherit.

        Those of two levels may have become contrary: then what would be reviewed is rejected.
        """
        review_at, reject_at = found = Thresholds(**self.labels.get(label, {}))
        if review_at is None or reject_at is None:
            return found
        return Thresholds(min(review_at, reject_at), reject_at)

    def policy(self, languages: tuple[str, ...] | None, version: int | None) -> Policy:
        """The policy that judges, if nothing is left to inherit."""
        return Policy(
            thresholds={name: self.thresholds(name) for name in self.labels},
            sample_rate=self.sample_rate or 0.0,
            visibility=self.visibility or VISIBILITIES[0],
            publish_unchecked=bool(self.publish_unchecked),
            languages=languages,
            version=version,
        )

    def as_json(self) -> dict[str, Any]:
        """The document as it is stored."""
        values = {n: value for n in VALUES if (value := getattr(self, n)) is not None}
        return {"labels": {name: dict(own) for name, own in self.labels.items() if own}, **values}


def read(stored: Mapping[str, Any]) -> Document:
    """The document of a stored version; keys of a later release are ignored."""
    labels = {
        name: {part: own[part] for part in PARTS if part in own}
        for name, own in stored.get("labels", {}).items()
    }
    return Document(labels=labels, **{name: stored.get(name) for name in VALUES})


def check(document: Document, labels: Collection[str]) -> None:
    """Raises Invalid naming the field if a value is not valid."""
    for name, own in document.labels.items():
        if name not in labels:
            raise Invalid(f"There is no label {name!r}. See the page Labels.", field=name)
        for part, value in own.items():
            _check_share(value, f"{name}: {part}", f"{part}-{name}")
    _check_share(document.sample_rate, "The sample of approvals", "sample_rate")
    if document.visibility not in (None, *VISIBILITIES):
        raise Invalid("visibility must be hold or publish_first.", field="visibility")
    if document.publish_unchecked not in (None, True, False):
        raise Invalid("publish_unchecked must be true or false.", field="publish_unchecked")


def check_order(effective: Document) -> None:
    """Raises Invalid if a label would be reviewed from a score that rejects; see ``check``."""
    for name, own in effective.labels.items():
        review_at, reject_at = Thresholds(**own)
        if review_at is not None and reject_at is not None and review_at > reject_at:
            raise Invalid(
                f"{name}: review from {review_at:g} is above reject from {reject_at:g}, so nothing"
                " would be reviewed. Lower it, or write never.",
                field=f"review_at-{name}",
            )


def _check_share(value: Any, what: str, name: str) -> None:
    if value is None:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not isfinite(value) or not 0 <= value <= 1:
        raise Invalid(f"{what} must be a number from 0 to 1.", field=name)


def changes(before: Document, after: Document) -> dict[str, list[Any]]:
    """What differs, by name: [before, after]; "inherited" stands for what is not set."""
    found: dict[str, list[Any]] = {}
    for name in sorted({*before.labels, *after.labels}):
        for part in PARTS:
            pair = [each.labels.get(name, {}).get(part, INHERITED) for each in (before, after)]
            if pair[0] != pair[1]:
                found[f"{name} {part}"] = ["never" if each is None else each for each in pair]
    for name in VALUES:
        pair = [getattr(each, name) for each in (before, after)]
        if pair[0] != pair[1]:
            found[name] = [INHERITED if each is None else each for each in pair]
    return found


INHERITED = "inherited"
