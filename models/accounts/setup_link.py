"""``python -m models.accounts.setup_link``: the one-time link that creates the first administrator.

Prints nothing if an administrator exists.
"""

from __future__ import annotations

from models.database.connection import connect, connection
from models.people.moderator import Invite, has_administrator
from models.settings import Settings, use_settings

HOURS = 24


def make(settings: Settings) -> str | None:
    """A new setup link, which replaces older ones; None if an administrator exists."""
    with connection():
        if has_administrator():
            return None
        Invite.delete().where(Invite.used_at.is_null(), Invite.role == "administrator").execute()
        return f"{settings.url}/console/setup/{Invite.make('administrator', HOURS)}"


if __name__ == "__main__":
    settings = use_settings(Settings.load())
    connect(settings, pool=1)
    link = make(settings)
    if link:
        print(link)
