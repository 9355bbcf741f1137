"""What importing a sheet would do to the rows that stand: rules and known images share it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from models.errors import Invalid

MOST_ERRORS = 100
Facts = dict[str, Any]
Key = tuple[str, str]


class Standing(Protocol):
    """A row that may stand already: its facts as a sheet has them, and whether it was removed."""

    @property
    def facts(self) -> Facts: ...

    @property
    def removed_at(self) -> Any: ...


S = TypeVar("S", bound=Standing)


@dataclass(slots=True)
class Plan(Generic[S]):
    """What an import would do: (row's number, facts), with what stands where something does."""

    added: list[tuple[int, Facts]] = field(default_factory=list)
    changed: list[tuple[int, S, Facts]] = field(default_factory=list)
    same: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)

    @property
    def counted(self) -> dict[str, int]:
        """How many of each, as the audit keeps it."""
        return {"added": len(self.added), "changed": len(self.changed), "same": self.same}

    def refuse_errors(self) -> None:
        """Raise Invalid with the first rows that are wrong, where any is."""
        if self.errors:
            shown = " ".join(f"Row {number}: {words}" for number, words in self.errors[:5])
            raise Invalid(f"Nothing was imported. {shown}", field="file")


def plan(
    rows: Iterable[Mapping[str, str]],
    facts_of: Callable[[Mapping[str, str]], Facts],
    key_of: Callable[[Facts], Key],
    standing: Callable[[Collection[Key]], Mapping[Key, S]],
    thing: str,
) -> Plan[S]:
    """The plan of a sheet's rows, each of which is a ``thing``.

    ``facts_of`` raises Invalid for a row that is none; ``standing`` finds what stands by its key.
    """
    made: Plan[S] = Plan()
    wanted: dict[Key, tuple[int, Facts]] = {}
    for number, row in enumerate(rows, 1):
        try:
            facts = facts_of(row)
            first = wanted.setdefault(key_of(facts), (number, facts))[0]
            if first != number:
                raise Invalid(f"This is the same {thing} as in row {first}.")
        except Invalid as error:
            if len(made.errors) < MOST_ERRORS:
                made.errors.append((number, error.detail))
    found = standing(wanted)
    for key, (number, facts) in wanted.items():
        there = found.get(key)
        if there is None:
            made.added.append((number, facts))
        elif there.facts != facts or there.removed_at is not None:
            made.changed.append((number, there, facts))
        else:
            made.same += 1
    return made


def require(values: Mapping[str, str], names: Iterable[str]) -> None:
    """Raise Invalid naming the first of these columns that is empty."""
    for name in names:
        if not values[name]:
            raise Invalid(f"{name} is missing.")
