"""Rule sets: named groups of rules by language and topic."""

from __future__ import annotations

import peewee

from models.clients.language_names import LANGUAGES
from models.database.connection import Model
from models.errors import Invalid, NotFound

OWN = 1  # the set of rules that belong to no other set
OWN_NAME = "Own rules"
LONGEST_NAME = 100


class RuleSet(Model):
    """A named group of rules. Its rules apply to the clients that use its ``language``.

    An empty language is every language: the rules apply to every client.
    """

    id = peewee.BigAutoField()
    name = peewee.TextField()
    language = peewee.TextField(default="")
    topic = peewee.TextField(default="")
    created_at = peewee.DateTimeField()

    @classmethod
    def named(cls, name: str) -> RuleSet:
        """The set with this name; raises NotFound."""
        row: RuleSet | None = cls.get_or_none(cls.name == name)
        if row is None:
            raise NotFound(f"There is no rule set named {name!r}.")
        return row

    @classmethod
    def ensure(cls, name: str, language: str, topic: str = "") -> RuleSet:
        """The set with this name, which is created if there is none; raises Invalid."""
        check_language(language)
        if not 1 <= len(name) <= LONGEST_NAME:
            raise Invalid(
                f"A rule set's name must have 1 to {LONGEST_NAME} characters.", field="rule_set"
            )
        values = {"name": name, "language": language, "topic": topic}
        cls.insert(**values, created_at=peewee.fn.now()).on_conflict_ignore().execute()
        return cls.named(name)

    @classmethod
    def own(cls, language: str) -> RuleSet:
        """The set of this server's own rules in that language; created if there is none."""
        return cls.ensure(own_name(language), language)


def check_language(language: str) -> None:
    """Raises Invalid for an unknown language; empty is every language."""
    if language and language not in LANGUAGES:
        raise Invalid(
            f"language must be a code such as en or sv, or empty for every language,"
            f" not {language!r}.",
            field="language",
        )


def own_name(language: str) -> str:
    """The name of the set of own rules in that language; raises Invalid."""
    check_language(language)
    return f"{OWN_NAME}: {LANGUAGES[language]}" if language else OWN_NAME


def languages_with_rules() -> list[str]:
    """The codes of the languages that have rule sets."""
    query = RuleSet.select(RuleSet.language).where(RuleSet.language != "").distinct()
    return sorted(code for (code,) in query.tuples())
