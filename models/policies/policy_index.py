"""The effective policies of all clients and surfaces; current within a second of a change."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from models.database.config_revision import RevisionCache
from models.database.connection import db
from models.policies.document import Document, read
from models.settings import get_settings
from models.verdict import NETWORK_LABEL, Policy

NEWEST = """
SELECT DISTINCT ON (p.id) p.client_id, p.surface, v.id, v.document
FROM policy p JOIN policy_version v ON v.policy_id = p.id ORDER BY p.id, v.number DESC
"""
Name = tuple[int | None, str]
MOST_KEPT = 10_000  # effective policies; surfaces are what clients send


class PolicyIndex:
    """The newest version of each policy, and what is effective where."""

    def __init__(
        self,
        newest: Mapping[Name, tuple[int, Document]],
        base: Document,
        clients: Collection[int] = (),
    ) -> None:
        self._newest, self._base = newest, base
        self.clients = frozenset(clients)  # all that there were
        self._made: dict[tuple[int, str, tuple[str, ...] | None], Policy] = {}

    def inherited(self, client_id: int | None, surface: str = "") -> Document:
        """What the policy with this name inherits, complete."""
        return self._over(self._levels(client_id, surface)[:-1])

    def document(self, client_id: int | None, surface: str = "") -> Document:
        """What is effective where this policy is the most exact one, complete."""
        return self._over(self._levels(client_id, surface))

    def with_document(self, name: Name, document: Document) -> PolicyIndex:
        """The same policies but for one: a draft that is tried."""
        number = max((number for number, _ in self._newest.values()), default=0) + 1
        return PolicyIndex({**self._newest, name: (number, document)}, self._base, self.clients)

    def policy(self, client_id: int, surface: str, languages: tuple[str, ...] | None) -> Policy:
        """The policy that judges an upload of this client to this surface."""
        key = client_id, surface, languages
        made = self._made.get(key)
        if made is None:
            levels = self._levels(client_id, surface)
            ids = [self._newest[name][0] for name in levels if name in self._newest]
            document = self._over(levels)
            made = document.policy(languages, max(ids, default=None))
            if len(self._made) >= MOST_KEPT:
                self._made.clear()
            self._made[key] = made
        return made

    def _levels(self, client_id: int | None, surface: str) -> list[Name]:
        levels: list[Name] = [(None, "")]
        if client_id is not None:
            levels.append((client_id, ""))
            if surface:
                levels.append((client_id, surface))
        return levels

    def _over(self, levels: list[Name]) -> Document:
        document = self._base
        for name in levels:
            if name in self._newest:
                document = self._newest[name][1].over(document)
        return document


def base_document() -> Document:
    """What the server's policy inherits: the settings, until they are taken over into it."""
    settings = get_settings()
    network = {"review_at": settings.review_at, "reject_at": settings.reject_at}
    return Document(
        labels={NETWORK_LABEL: network},
        sample_rate=settings.sample_rate,
        visibility="hold",
        publish_unchecked=False,
    )


def _index() -> PolicyIndex:
    rows = db.execute_sql(NEWEST).fetchall()
    newest = {
        (client_id, surface): (number, read(stored)) for client_id, surface, number, stored in rows
    }
    clients = [row[0] for row in db.execute_sql("SELECT id FROM client").fetchall()]
    return PolicyIndex(newest, base_document(), clients)


policies = RevisionCache("policies", _index)
