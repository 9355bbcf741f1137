"""Languages of rules: which there are, and which of them the clients use.

A client uses the server's default languages unless it has a selection of its own. Rules that
belong to no language apply to every client.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import peewee

from models.audit.log import Audit
from models.clients.client import Client
from models.clients.language_names import LANGUAGES
from models.database.config_revision import Revision
from models.database.connection import Model, db
from models.errors import Invalid


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


def switch_language(
    language: str, *, on: bool, client_id: int | None = None, moderator_id: int | None = None
) -> None:
    """Switch a language's rules on or off, for one client or for all; raises Invalid, NotFound.

    For all means: the default, and every client that has a selection of its own. A client that
    uses the default gets a selection of its own when it is switched alone.
    """
    if language not in LANGUAGES:
        raise Invalid(f"There is no language {language!r}.", field="language")
    with db.atomic():
        # 1. The lock orders switches, so that none overwrites the selection of another.
        db.execute_sql("LOCK TABLE default_language IN SHARE ROW EXCLUSIVE MODE")
        if client_id is None:
            subject = "all clients"
            _switch_default(language, on=on)
            own = Client.languages.is_null(False)
            for client in Client.select().where(own).for_update():
                _select(client, language, client.languages, on=on)
        else:
            Client.find(client_id)
            client = Client.select().where(Client.id == client_id).for_update().get()
            subject = client.name
            _select(client, language, languages_of(client), on=on)
        action = "rules.language_on" if on else "rules.language_off"
        subject = f"{LANGUAGES[language]} for {subject}"
        Audit.append(action, subject, moderator_id=moderator_id, language=language)
        Revision.bump("rules")


def _switch_default(language: str, *, on: bool) -> None:
    if on:
        DefaultLanguage.insert(language=language).on_conflict_ignore().execute()
    else:
        DefaultLanguage.delete().where(DefaultLanguage.language == language).execute()


def _select(client: Client, language: str, used: Collection[str], *, on: bool) -> None:
    languages = {*used, language} if on else {*used} - {language}
    Client.update(languages=sorted(languages)).where(Client.id == client.id).execute()
