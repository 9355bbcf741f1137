"""One label, and what administrators do with labels: add, change, move, retire, restore."""

from __future__ import annotations

import re
from typing import Any

import peewee

from models.audit.log import Audit
from models.database.config_revision import Revision
from models.database.connection import Model, db
from models.errors import Conflict, Invalid, NotFound
from models.labels.uses import uses

# Legal categories: the values of ``category``, without STATEMENT_CATEGORY_, of the API of
# the EU's transparency database (https://transparency.dsa.ec.europa.eu), version of July 2025.
CATEGORIES = {
    "ANIMAL_WELFARE": "Animal welfare",
    "CONSUMER_INFORMATION": "Consumer information",
    "CYBER_VIOLENCE": "Cyber violence",
    "CYBER_VIOLENCE_AGAINST_WOMEN": "Cyber violence against women",
    "DATA_PROTECTION_AND_PRIVACY_VIOLATIONS": "Data protection and privacy",
    "ILLEGAL_OR_HARMFUL_SPEECH": "Illegal or harmful speech",
    "INTELLECTUAL_PROPERTY_INFRINGEMENTS": "Intellectual property",
    "NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS": "Civic discourse or elections",
    "NOT_SPECIFIED_NOTICE": "Not specified",
    "OTHER_VIOLATION_TC": "Other violation of the terms",
    "PROTECTION_OF_MINORS": "Protection of minors",
    "RISK_FOR_PUBLIC_SECURITY": "Risk for public security",
    "SCAMS_AND_FRAUD": "Scams and fraud",
    "SELF_HARM": "Self-harm",
    "UNSAFE_AND_PROHIBITED_PRODUCTS": "Unsafe or prohibited products",
    "VIOLENCE": "Violence",
}
OTHER = "OTHER_VIOLATION_TC"  # of a label without a more exact category

KEYS = 9  # labels that have a key in the review page: the first ones that are offered
LONGEST = {"title": 40, "button": 12, "author_text": 300, "guidance": 1000}
CHANGEABLE = ("title", "button", "author_text", "guidance", "category", "graphic")
RESERVED = "new"  # the page of a label with this name is the form for a new one
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NEEDED = {  # set by checks, or where nothing else fits
    "nudity": "The network for pictures sets this label, so it cannot be retired.",
    "other": "Decisions without a reason have this label, so it cannot be retired.",
}


class Label(Model):
    """What an upload can be.

    ``name`` is fixed: rules, known images, stored decisions and the code of clients refer to it.
    ``button`` is a short title for narrow buttons. ``guidance`` tells moderators what to do. A
    label that is ``graphic`` counts as a hard picture. ``by_machine``: only checks set it.
    """

    name = peewee.TextField(primary_key=True)
    title = peewee.TextField()
    button = peewee.TextField(default="")
    author_text = peewee.TextField()
    guidance = peewee.TextField(default="")
    category = peewee.TextField(default=OTHER)
    graphic = peewee.BooleanField(default=False)
    by_machine = peewee.BooleanField(default=False)
    position = peewee.IntegerField()
    retired_at = peewee.DateTimeField(null=True)
    updated_at = peewee.DateTimeField()

    @classmethod
    def ordered(cls) -> list[Label]:
        """All labels: those that people choose, the machine's, the retired ones."""
        retired = cls.retired_at.is_null(False)
        return list(cls.select().order_by(retired, cls.by_machine, cls.position, cls.name))

    @classmethod
    def find(cls, name: str, *, lock: bool = False) -> Label:
        """The label with this name, even if retired; raises NotFound."""
        if not NAME.fullmatch(name):  # a NUL in a URL would be an error of the database
            raise NotFound(f"There is no label {name!r}.")
        query = cls.select().where(cls.name == name)
        row: Label | None = (query.for_update() if lock else query).first()
        if row is None:
            raise NotFound(f"There is no label {name!r}.")
        return row

    @classmethod
    def add(cls, name: str, moderator_id: int | None = None, **facts: Any) -> Label:
        """Add a label behind the others. Raises Invalid, and Conflict if the name is taken."""
        if not NAME.fullmatch(name) or name == RESERVED:
            raise Invalid(
                "A name must have 1 to 40 of the characters a to z, 0 to 9 and _, and begin with a"
                " letter, for example drugs_and_alcohol.",
                field="name",
            )
        values = _checked({"button": "", "guidance": "", "category": OTHER, **facts})
        with db.atomic():
            _lock()
            if cls.select().where(cls.name == name).exists():
                raise Conflict(f"There is a label {name!r} already.", field="name")
            _check_title(values["title"], name)
            last = cls.select(peewee.fn.MAX(cls.position)).scalar() or 0
            cls.insert(
                name=name, position=last + 1, updated_at=peewee.fn.clock_timestamp(), **values
            ).execute()
            return cls.find(name)._record("label.add", moderator_id, {})

    @classmethod
    def change(
        cls, name: str, moderator_id: int | None = None, *, seen: str = "", **facts: Any
    ) -> Label:
        """Change texts, category or graphic; what is not named stays.

        ``seen`` is the ``version`` that the person edited. Raises NotFound, Invalid, and Conflict
        if somebody has changed the label since or another one has the title.
        """
        with db.atomic():
            _lock()
            row = cls.find(name, lock=True)
            if seen and seen != row.version:
                raise Conflict(
                    "Somebody has changed this label since you opened it. Open it again to see the"
                    " change; what you wrote is still in the form."
                )
            before = row.facts
            values = _checked({**before, **facts})
            _check_title(values["title"], name)
            if values == before:
                return row
            return row._record("label.change", moderator_id, values)

    @classmethod
    def move(cls, name: str, place: int, moderator_id: int | None = None) -> Label:
        """Make it number ``place`` (from 1) of the labels that people choose; the others move."""
        with db.atomic():
            _lock()
            row = cls.find(name, lock=True)
            rows = [other for other in cls.ordered() if other.is_offered and other.name != name]
            if not row.is_offered:
                raise Invalid("Only labels that people choose have a place.", field="place")
            if not 1 <= place <= len(rows) + 1:
                raise Invalid(f"place must be 1 to {len(rows) + 1}.", field="place")
            before = [other.name for other in cls.ordered() if other.is_offered].index(name) + 1
            if place == before:
                return row
            rows.insert(place - 1, row)
            for position, other in enumerate(rows, 1):
                cls.update(position=position).where(cls.name == other.name).execute()
            changes = {"place": [before, place]}
            return row._record("label.move", moderator_id, {}, changes=changes)

    @classmethod
    def retire(cls, name: str, moderator_id: int | None = None) -> Label:
        """No longer offer it; what has it keeps it. Raises Conflict if rules or images use it."""
        with db.atomic():
            _lock()
            row = cls.find(name, lock=True)
            if row.by_machine or name in NEEDED:
                raise Conflict(
                    NEEDED.get(name, "Sluice itself sets this label, so it cannot be retired.")
                )
            its = uses().get(name)
            if its:
                raise Conflict(
                    f"“{row.title}” is the label of {its.words}. Give them another label, take it"
                    " out of the policies, or remove them first."
                )
            if row.retired_at is not None:
                return row
            return row._record("label.retire", moderator_id, {"retired_at": peewee.fn.now()})

    @classmethod
    def restore(cls, name: str, moderator_id: int | None = None) -> Label:
        """Offer a retired label again. Raises NotFound, and Conflict if its title is taken."""
        with db.atomic():
            _lock()
            row = cls.find(name, lock=True)
            if row.retired_at is None:
                return row
            _check_title(row.title, name)
            return row._record("label.restore", moderator_id, {"retired_at": None})

    def _record(
        self, action: str, moderator_id: int | None, values: dict[str, Any], **details: Any
    ) -> Label:
        """Write the values with an audit row; every process reads the labels anew."""
        before = None if action == "label.add" else self.facts
        Label.update(**values, updated_at=peewee.fn.clock_timestamp()).where(
            Label.name == self.name
        ).execute()
        row = Label.find(self.name)
        if not details:
            changed = {n: [before and before[n], v] for n, v in row.facts.items()}
            pairs = {n: pair for n, pair in changed.items() if pair[0] != pair[1]}
            details = {"changes": pairs} if pairs else {}
        Audit.append(action, self.name, moderator_id=moderator_id, **details)
        Revision.bump("labels")
        return row

    @property
    def facts(self) -> dict[str, Any]:
        """The values that people change."""
        return {name: getattr(self, name) for name in CHANGEABLE}

    @property
    def is_offered(self) -> bool:
        """Whether people can choose it."""
        return not self.by_machine and self.retired_at is None

    @property
    def version(self) -> str:
        """A version string; every change of the label changes it."""
        return f"{self.updated_at.timestamp():.6f}"


def _lock() -> None:
    """Titles are unique and places have no gaps, so one change at a time."""
    db.execute_sql("LOCK TABLE label IN SHARE ROW EXCLUSIVE MODE")


def _check_title(title: str, name: str) -> None:
    same = Label.select().where(
        peewee.fn.lower(Label.title) == title.lower(),
        Label.name != name,
        Label.retired_at.is_null(),
    )
    if same.exists():
        raise Conflict(f"Another label has the title “{title}”.", field="title")


def _checked(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts with stripped texts; raises Invalid naming the field."""
    values = {name: facts.get(name) for name in CHANGEABLE}
    for name, longest in LONGEST.items():
        text = str(values[name] or "").strip()
        values[name] = text
        if len(text) > longest:
            raise Invalid(f"{name} must have at most {longest} characters.", field=name)
        if any(c != "\n" and not c.isprintable() for c in text.replace("\r\n", "\n")):
            raise Invalid(f"{name} contains a character that cannot be shown.", field=name)
    for name, what in (("title", "A label needs a title."), ("author_text", NO_AUTHOR_TEXT)):
        if not values[name]:
            raise Invalid(what, field=name)
    if values["category"] not in CATEGORIES:
        raise Invalid(f"category must be one of {', '.join(CATEGORIES)}.", field="category")
    values["graphic"] = bool(values["graphic"])
    return values


NO_AUTHOR_TEXT = "A label needs a sentence for the author, for example: It shows a weapon."
