"""Switches the languages of rules, for one client or for all; starter rules follow."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from models.audit.log import Audit
from models.clients.client import Client
from models.clients.language_names import LANGUAGES
from models.clients.languages import DefaultLanguage, languages_of, lock_languages
from models.database.config_revision import Revision
from models.database.connection import db
from models.errors import Invalid
from models.rules.starter_list import follow_languages


@contextmanager
def language_change() -> Iterator[None]:
    """A transaction that may change which languages clients use; starter rules follow it.

    Whatever sets ``Client.languages`` or a default language runs in it.
    """
    with db.atomic():
        # 1. Changes of languages come one after another.
        lock_languages()
        yield
        # 2. Rows are locked in the order languages, client, rules, revision, and the audit's head
        #    at the commit. Changes of rules keep the same order, so none waits in a circle.
        follow_languages()


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
        with language_change():
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
