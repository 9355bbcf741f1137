"""The deck: the flags that a moderator has claimed, and the frame of the review page."""

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
from models.labels.label_index import labels
from models.people.preferences import Preferences
from models.review import claims, groups, workload
from models.review.claims import ReviewFilter
from models.settings import Settings, get_settings
from models.submissions.submission import Submission
from tasks.queue import lanes
from webapp.console.dashboard.tiles import MODES
from webapp.console.shared.cards import Card, cards
from webapp.signin import auth

SIZE = 6  # flags claimed at once: one is shown, the others are preloaded
SEGMENTS = ("all", "priority", "escalated", "debt")  # always shown; others only if not empty


def claim(*, but: Sequence[UUID] = (), count: int = SIZE) -> list[Card]:
    """Claim flags and request their heatmaps in advance."""
    if count <= 0:
        return []
    moderator = auth.moderator()
    rows = claims.claim_next(
        moderator, count, lease(), chosen(), exclude=but, rested=_needs_rest(len(but))
    )
    claimed = of(rows)
    _request_heatmaps(claimed)
    return claimed


def more(*but: UUID) -> list[Card]:
    """Flags that refill the browser's deck, without those that it already has."""
    if view() == "list":
        return []
    present = tuple(open_ids())
    return claim(but=(*present, *but), count=SIZE - len(present))


def of(rows: Sequence[Submission]) -> list[Card]:
    """The cards of these flags, with the number of related flags of each."""
    related = groups.counts([row.id for row in rows], settings().pdq_max_distance, chosen())
    made = cards(rows, settings())
    for card in made:
        card.related.update(related.get(card.submission.id, {}))
    return made


def alike(submission_id: UUID) -> int:
    """The number of waiting flags that look like this submission, within the filter."""
    related = groups.counts([submission_id], settings().pdq_max_distance, chosen())
    return related.get(submission_id, {}).get("alike", 0)


def frame() -> dict[str, Any]:
    """The values around the flags: counts per filter, and the moderator's own workload."""
    moderator, counts = auth.moderator(), claims.counts()
    preferences = Preferences.of(moderator)
    hard, run = workload.graphic(moderator.id)
    counts |= {"debt": Submission.count_owed()}
    current = chosen()
    shown = [*SEGMENTS, *(k for k in ("quarantined", "appeals") if counts[k] or k == current.kind)]
    return {
        "filter": current.kind,
        "chosen": current,
        "chosen_client": _client_name(current.client_id),
        "segments": shown,
        "view": view(),
        "counts": counts,
        "address": address,
        "group_address": group_address,
        "preferences": preferences,
        "decided_today": workload.decided_today(moderator.id),
        "hard": hard,
        "hard_run": run,
        "pause": 0 < preferences.pause_after <= hard,
        "undo_seconds": settings().undo_seconds,
        "key_delay": settings().review_key_delay_ms,
        "lease_seconds": settings().review_lease_seconds,
        "modes": MODES,
    }


def chosen() -> ReviewFilter:
    """The filter in the URL or form of this request."""
    kind = request.values.get("filter", "all")
    client, label = request.values.get("client", ""), request.values.get("label", "")
    return ReviewFilter(
        kind if kind in claims.KINDS else "all",
        int(client) if client.isdecimal() and len(client) < 18 else None,
        label if label in labels.get().names else "",
    )


def address(**changed: Any) -> str:
    """The URL of the review page with this filter and view, except for ``changed``."""
    return url_for("review.show", **_place(changed))


def group_address(submission_id: UUID, by: str) -> str:
    """The URL of a flag's group, which is limited to this filter and leads back to this view."""
    return url_for("groups.show", submission_id=submission_id, by=by, **_place({}))


def _place(changed: dict[str, Any]) -> dict[str, Any]:
    current = chosen()
    values: dict[str, Any] = {
        "view": "list" if view() == "list" and auth.moderator().can_decide else None,
        "filter": current.kind,
        "client": current.client_id,
        "label": current.label or None,
    } | changed
    if values["filter"] == "all":
        values["filter"] = None
    return values


def view() -> str:
    """``one`` (single flags) or ``list``; viewers always get the list."""
    value = request.values.get("view", "one")
    return "list" if value == "list" or not auth.moderator().can_decide else "one"


def open_ids() -> list[UUID]:
    """The flags that the browser reports as open."""
    ids = (uuid(text) for text in request.form.get("open", "").split(",")[: 4 * SIZE])
    return [number for number in ids if number]


def uuid(text: str | None) -> UUID | None:
    """The UUID in the text, or None."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def number(field: str) -> int:
    """A whole number from the form; raises Invalid."""
    text = request.form.get(field, "")
    if not text.isdecimal() or len(text) > 9:
        raise Invalid(f"{field} must be a whole number.", field=field)
    return int(text)


def settings() -> Settings:
    """This server's settings."""
    found = get_settings()
    return found


def lease() -> int:
    """The duration of a claim in seconds."""
    return settings().review_lease_seconds


def _needs_rest(open_now: int) -> bool:
    """Whether a text flag is due after a run of hard pictures, including those in the deck."""
    moderator = auth.moderator()
    limit = Preferences.of(moderator).rotate_after
    if not limit:
        return False
    _, run = workload.graphic(moderator.id)
    return run + open_now >= limit


def _request_heatmaps(claimed: Sequence[Card]) -> None:
    missing = [card.submission.id for card in claimed if card.lacks_heat]
    if missing:
        with contextlib.suppress(redis.RedisError):
            lanes.enqueue_heat(missing, awaited=False)


def _client_name(client_id: int | None) -> str:
    if client_id is None:
        return ""
    with contextlib.suppress(peewee.DoesNotExist):
        return str(Client.get_by_id(client_id).name)
    return "an unknown client"
