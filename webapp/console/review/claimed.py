"""The deck: what a moderator has before them in review, and what stands around it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import peewee
import redis
from flask import request, url_for

from models.clients.client import Client
from models.errors import Invalid
from models.people.preferences import Preferences
from models.review import claims, groups, workload
from models.review.claims import Filter
from models.settings import Settings, get_settings
from models.submissions.submission import Submission
from models.verdict import LABELS
from tasks.queue import lanes
from webapp.console.dashboard import live_fragments
from webapp.console.shared.cards import Card, cards
from webapp.signin import auth

SIZE = 6  # flags that are claimed at once: one to look at, the others ready behind it
SEGMENTS = ("all", "priority", "escalated", "debt")  # always shown; the rest only if it has any


def claim(*, but: Sequence[UUID] = (), count: int = SIZE) -> list[Card]:
    """Claim flags and have their heatmaps drawn ahead."""
    if count <= 0:
        return []
    moderator = auth.moderator()
    rows = claims.claim_next(
        moderator, count, lease(), chosen(), but=but, rested=_needs_rest(len(but))
    )
    made = of(rows)
    _draw_ahead(made)
    return made


def more(*but: UUID) -> list[Card]:
    """Flags that top the browser's deck up, without those that it has."""
    if view() == "list":
        return []
    known = tuple(open_ids())
    return claim(but=(*known, *but), count=SIZE - len(known))


def of(rows: Sequence[Submission]) -> list[Card]:
    """The cards of these flags, with how many others belong to each."""
    found = groups.counts([row.id for row in rows], settings().pdq_max_distance)
    made = cards(rows, settings())
    for card in made:
        card.related.update(found.get(card.submission.id, {}))
    return made


def frame() -> dict[str, Any]:
    """What stands around the flags: counts by filter, and the moderator's own."""
    moderator, counts = auth.moderator(), claims.counts()
    preferences = Preferences.of(moderator)
    hard, run = workload.graphic(moderator.id, settings().review_at)
    counts |= {"debt": Submission.count_owed()}
    wanted = chosen()
    shown = [*SEGMENTS, *(k for k in ("quarantined", "appeals") if counts[k] or k == wanted.kind)]
    return {
        "filter": wanted.kind,
        "wanted": wanted,
        "wanted_client": _client_name(wanted.client_id),
        "segments": shown,
        "view": view(),
        "counts": counts,
        "address": address,
        "preferences": preferences,
        "decided_today": workload.decided_today(moderator.id),
        "hard": hard,
        "hard_run": run,
        "pause": 0 < preferences.pause_after <= hard,
        "undo_seconds": settings().undo_seconds,
        "lease_seconds": settings().review_lease_seconds,
        "modes": live_fragments.MODES,
    }


def chosen() -> Filter:
    """The filter of this request's address or form."""
    kind = request.values.get("filter", "all")
    client, label = request.values.get("client", ""), request.values.get("label", "")
    return Filter(
        kind if kind in claims.KINDS else "all",
        int(client) if client.isdecimal() and len(client) < 18 else None,
        label if label in LABELS else "",
    )


def address(**changed: Any) -> str:
    """The review page's address with this filter and view, but for what is ``changed``."""
    wanted = chosen()
    values: dict[str, Any] = {
        "view": "list" if view() == "list" and auth.moderator().can_decide else None,
        "filter": wanted.kind,
        "client": wanted.client_id,
        "label": wanted.label or None,
    } | changed
    if values["filter"] == "all":
        values["filter"] = None
    return url_for("review.show", **values)


def view() -> str:
    """``one`` flag after the other, or the ``list``, which is all that a viewer sees."""
    wanted = request.values.get("view", "one")
    return "list" if wanted == "list" or not auth.moderator().can_decide else "one"


def open_ids() -> list[UUID]:
    """The flags that the browser says it has."""
    known = (uuid(text) for text in request.form.get("open", "").split(",")[: 4 * SIZE])
    return [found for found in known if found]


def uuid(text: str | None) -> UUID | None:
    """The number that a text is, or None."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def number(field: str) -> int:
    """A whole number of the form; raises Invalid."""
    text = request.form.get(field, "")
    if not text.isdecimal() or len(text) > 9:
        raise Invalid(f"{field} is a whole number.", field=field)
    return int(text)


def settings() -> Settings:
    """This server's settings."""
    found = get_settings()
    return found


def lease() -> int:
    """Seconds that a claim lasts."""
    return settings().review_lease_seconds


def _needs_rest(open_now: int) -> bool:
    """Whether text is due: after so many hard pictures in a row, those in the deck counted."""
    moderator = auth.moderator()
    limit = Preferences.of(moderator).rotate_after
    if not limit:
        return False
    _, run = workload.graphic(moderator.id, settings().review_at)
    return run + open_now >= limit


def _draw_ahead(made: Sequence[Card]) -> None:
    missing = [card.submission.id for card in made if card.lacks_heat]
    if missing:
        with contextlib.suppress(redis.RedisError):
            lanes.enqueue_heat(missing, awaited=False)


def _client_name(client_id: int | None) -> str:
    if client_id is None:
        return ""
    with contextlib.suppress(peewee.DoesNotExist):
        return str(Client.get_by_id(client_id).name)
    return "an unknown client"
