"""Languages of rules: which there are, and which of them the clients use.

A client uses the server's default languages unless it has a selection of its own. Rules that
belong to no language apply to every client.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import peewee

from models.clients.client import Client
from models.clients.language_names import LANGUAGES
from models.database.connection import Model, db


class DefaultLanguage(Model):
    """A language whose rules apply to every client without a selection of its own."""

    language = peewee.TextField(primary_key=True)


def default_languages() -> list[str]:
    """The codes of the server's default languages, sorted."""
    return sorted(row.language for row in DefaultLanguage.select())


def languages_in_use() -> set[str]:
    """The codes of the default languages and of those that some client has selected."""
    rows = db.execute_sql("SELECT DISTINCT unnest(languages) FROM client").fetchall()
    return {*default_languages(), *(code for (code,) in rows)}


def clients_using(language: str) -> set[int]:
    """The ids of the clients that use this language."""
    defaults = default_languages()
    return {
        client.id
        for client in Client.select(Client.id, Client.languages)
        if language in (defaults if client.languages is None else client.languages)
    }


@dataclass(frozen=True, slots=True)
class LanguageUse:
    """Who uses the rules of a language: whether it is a default, and the clients that use it."""

    language: str
    is_default: bool
    clients: tuple[str, ...]
    total: int  # of all clients

    @property
    def name(self) -> str:
        """The language's English name."""
        return LANGUAGES[self.language]

    @property
    def is_everywhere(self) -> bool:
        """Whether every client uses it, new ones included."""
        return self.is_default and len(self.clients) == self.total


def language_uses(languages: Iterable[str]) -> list[LanguageUse]:
    """The use of each of these languages, by name."""
    defaults = set(default_languages())
    chosen = [
        (client.name, defaults if client.languages is None else set(client.languages))
        for client in Client.select(Client.name, Client.languages).order_by(Client.name)
    ]
    return [
        LanguageUse(
            code,
            code in defaults,
            tuple(name for name, used in chosen if code in used),
            len(chosen),
        )
        for code in sorted(languages, key=lambda code: LANGUAGES[code])
    ]


def languages_of(client: Client) -> list[str]:
    """The codes of the languages that the client uses."""
    return default_languages() if client.languages is None else sorted(client.languages)


def lock_languages() -> None:
    """Wait for other changes of languages; call it in the transaction of a change.

    So no change overwrites the selection of another, and starter rules follow the last one.
    """
    db.execute_sql("LOCK TABLE default_language IN SHARE ROW EXCLUSIVE MODE")
