"""All labels by name, as every process reads them; current within a second of a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.database.config_revision import RevisionCache
from models.errors import Invalid
from models.labels.label import KEYS, Label

NO_LABEL = "other"  # of a person's decision without a label, and of an entry that names none


@dataclass(frozen=True, slots=True)
class LabelEntry:
    """What is shown of a label. ``key`` is 1 to 9 in the review page, or None."""

    name: str
    title: str
    button: str
    author_text: str
    guidance: str
    graphic: bool
    by_machine: bool
    is_retired: bool
    key: int | None


class LabelIndex:
    """The labels at one revision, in their order."""

    def __init__(self, entries: Mapping[str, LabelEntry]) -> None:
        self.entries = MappingProxyType(dict(entries))
        self.names = tuple(self.entries)  # of all labels, retired ones too
        self.offered = tuple(
            entry
            for entry in self.entries.values()
            if not entry.by_machine and not entry.is_retired
        )
        self.graphic = tuple(name for name, entry in self.entries.items() if entry.graphic)

    def title(self, name: str) -> str:
        """What the console calls a label; also of one that is no row, such as a detector's own."""
        entry = self.entries.get(name)
        return entry.title if entry else name.replace("_", " ").capitalize()

    def author_text(self, name: str) -> str:
        """The sentence for the author; it says nothing about how something was found."""
        entry = self.entries.get(name) or self.entries[NO_LABEL]
        return entry.author_text

    def choices(self, chosen: str = "") -> list[str]:
        """The names that a person can choose now, plus the one that is chosen already."""
        names = [entry.name for entry in self.offered]
        return [*names, chosen] if chosen in self.entries and chosen not in names else names

    def problem(self, name: str) -> str:
        """Why ``name`` is no label that can be chosen; empty if it is one."""
        entry = self.entries.get(name)
        if entry is None:
            return (
                f"There is no label {name!r}. The labels are {', '.join(self.choices())}."
                " An administrator adds others on the page Labels or with scripts/labels."
            )
        if entry.is_retired:
            return f"The label {name} is retired. Choose another one, or restore it first."
        return ""


def _index() -> LabelIndex:
    entries, number = {}, 0
    for row in Label.select().order_by(Label.position, Label.name):
        offered = not row.by_machine and row.retired_at is None
        number += offered
        entries[row.name] = LabelEntry(
            name=row.name,
            title=row.title,
            button=row.button or row.title,
            author_text=row.author_text,
            guidance=row.guidance,
            graphic=row.graphic,
            by_machine=row.by_machine,
            is_retired=row.retired_at is not None,
            key=number if offered and number <= KEYS else None,
        )
    return LabelIndex(entries)


labels = RevisionCache("labels", _index)


def author_text_of(name: str) -> str:
    """The sentence for the author, also of a label that was added within this second."""
    if name not in labels.get().entries:
        labels.expire()
    return labels.get().author_text(name)


def check_label(name: str, unchanged: str = "") -> None:
    """Raises Invalid unless ``name`` is a label that can be chosen, or is ``unchanged``."""
    if name == unchanged or not labels.get().problem(name):
        return
    labels.expire()  # it may be as old as this second
    problem = labels.get().problem(name)
    if problem:
        raise Invalid(problem, field="label")
