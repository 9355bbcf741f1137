"""Compares an import with the existing rows; shared by rules and known images. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from models.errors import Invalid

MOST_ERRORS = 100
Facts = dict[str, Any]
Key = tuple[str, ...]


class ExistingRow(Protocol):
    """An existing row: its facts as in a sheet, and whether it was removed."""

    @property
    def facts(self) -> Facts: ...

    @property
    def removed_at(self) -> Any: ...


S = TypeVar("S", bound=ExistingRow)


@dataclass(slots=True)
class Plan(Generic[S]):
    """What an import would do: (row number, facts), with the existing row if there is one."""

    added: list[tuple[int, Facts]] = field(default_factory=list)
    changed: list[tuple[int, S, Facts]] = field(default_factory=list)
    same: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)

    @property
    def counted(self) -> dict[str, int]:
        """The counts, as stored in the audit."""
        return {"added": len(self.added), "changed": len(self.changed), "same": self.same}

    def refuse_errors(self) -> None:
        """Raise Invalid with the first invalid rows, if there are any."""
        if self.errors:
            shown = " ".join(f"Row {number}: {words}" for number, words in self.errors[:5])
            raise Invalid(f"Nothing was imported. {shown}", field="file")


def plan(
    rows: Iterable[Mapping[str, str]],
    facts_of: Callable[[Mapping[str, str]], Facts],
    key_of: Callable[[Facts], Key],
    find_existing: Callable[[Collection[Key]], Mapping[Key, S]],
    thing: str,
) -> Plan[S]:
    """The plan for a sheet's rows; ``thing`` is the word for one in messages.

    ``facts_of`` raises Invalid for an invalid row; ``find_existing`` returns existing rows by key.
    """
    result: Plan[S] = Plan()
    imported: dict[Key, tuple[int, Facts]] = {}
    for number, row in enumerate(rows, 1):
        try:
            facts = facts_of(row)
            first = imported.setdefault(key_of(facts), (number, facts))[0]
            if first != number:
                raise Invalid(f"This is the same {thing} as in row {first}.")
        except Invalid as error:
            if len(result.errors) < MOST_ERRORS:
                result.errors.append((number, error.detail))
    existing = find_existing(imported)
    for key, (number, facts) in imported.items():
        current = existing.get(key)
        if current is None:
            result.added.append((number, facts))
        elif current.facts != facts or current.removed_at is not None:
            result.changed.append((number, current, facts))
        else:
            result.same += 1
    return result


def require(values: Mapping[str, str], names: Iterable[str]) -> None:
    """Raise Invalid naming the first of these columns that is empty."""
    for name in names:
        if not values[name]:
            raise Invalid(f"{name} is missing.")
