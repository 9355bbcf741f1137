"""The checks by perceptual hash: look-alikes of known images, and of pictures flagged recently.

Every distinct view of a picture is compared: each frame of an animation, and a transparent picture
on each background. A view that matches is the one that the finding, the row and the still name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from models.database.config_revision import RevisionCache
from models.hash_bank.known_hash import KnownHash
from models.settings import per_process
from models.submissions.image import MIN_PDQ_QUALITY
from models.verdict import Finding, action_of
from tasks.hash_bank.hashing import HashBank
from tasks.images.limits import PictureError
from tasks.moderation.job import Item, Job
from tasks.moderation.look_alike_cache import LookAlikeCache

Codes = Sequence[tuple[int | None, bytes]]  # (view, PDQ hash); None: of a picture not decoded
look_alike_cache = per_process(lambda settings: LookAlikeCache(settings.dedupe_shared_ttl))


def known_look_alikes(job: Job) -> Iterator[Finding]:
    """Images of which a view is near a hash in the hash bank."""
    _, bank = known_bank.get()
    if not len(bank):
        return
    for position, item in job.open_items:
        hashes = item.hashes
        yield from _near_known(job, position, item, hashes.distinct, hashes.is_complete)


def known_again(job: Job, position: int, item: Item, columns: dict[str, Any]) -> Iterator[Finding]:
    """The same for an image whose score is cached. It is decoded only if it has several views.

    The row of a cached score holds the hash of its worst view, or part, alone.
    """
    _, bank = known_bank.get()
    if not len(bank):
        return
    codes: list[tuple[int | None, bytes]] = []
    if columns["pdq"]:
        codes = [(None, bytes(columns["pdq"]))]
    if columns["view"].get("views", 1) == 1 and "box" not in columns["view"]:
        yield from _near_known(job, position, item, codes, complete=True)
        return
    try:
        hashes = item.hashes
    except PictureError:
        return
    codes += hashes.distinct
    yield from _near_known(job, position, item, codes, hashes.is_complete)


def known_part(job: Job, position: int, item: Item) -> Iterator[Finding]:
    """A part of an image that was scored separately and is near a blocked image."""
    if item.seen["pdq_quality"] >= MIN_PDQ_QUALITY:
        codes: Codes = [(None, bytes(item.seen["pdq"]))]
        yield from _near_known(job, position, item, codes, complete=False)


def _near_known(
    job: Job, position: int, item: Item, codes: Codes, complete: bool
) -> Iterator[Finding]:
    """The nearest known image of all views.

    One view within the limit of a blocked image rejects. An image is allowed only if each of its
    views is within the limit of an allowed one: what stands beside an allowed view is unknown. From
    the limit up to twice the limit the finding is only a note.
    """
    entries, bank = known_bank.get()
    if not len(bank):
        return
    limit = job.settings.pdq_max_distance
    matches = [
        (distance, number, view)
        for view, code in codes
        for number, distance in [bank.nearest(code) or (0, 2 * limit + 1)]
        if distance <= 2 * limit
    ]
    if not matches:
        return
    within = [match for match in matches if match[0] <= limit]
    blocks = [match for match in within if entries[match[1]][0] == "block"]
    item.settled = complete and not blocks and len(within) == len(codes)
    distance, number, view = min(blocks or matches, key=lambda match: match[0])
    asks = "reject" if blocks else "allow" if item.settled else "note"
    evidence = {"known": number, "kind": "pdq", "distance": distance, "limit": limit}
    if blocks and view is not None:
        evidence |= item.name_view(view)
    yield Finding("known_hashes", entries[number][1], asks, image=position, evidence=evidence)


def flagged_look_alikes(job: Job) -> Iterator[Finding]:
    """Duplicates: images that look like one flagged within minutes, whose score is used again.

    Only at a distance that means the same picture, and only the flags of the same client, unless
    the operator shares them: what one client uploads must not flag another client's pictures.
    Further away the network looks. An approval is never used again here: a harmful picture can be
    made to look like a harmless one.
    """
    settings, flagged = job.settings, look_alike_cache()
    limit = settings.dedupe_max_distance
    client = None if settings.dedupe_across_clients else job.submission.client_id
    for position, item in job.open_items:
        if not flagged.has_any():
            return
        found = [
            (*nearest, view)
            for view, code in item.hashes.distinct
            if (nearest := flagged.nearest(code, limit, client))
        ]
        if not found:
            continue
        score, distance, view = max(found)
        action = action_of(score, job.policy)
        if action not in ("reject", "review"):
            continue
        item.settled = True
        evidence = {"distance": distance, "limit": limit, **item.name_view(view, score)}
        yield Finding(
            "duplicates", "nudity", action, score=score, image=position, evidence=evidence
        )


def _bank() -> tuple[dict[int, tuple[str, str]], HashBank]:
    rows = KnownHash.perceptual()
    entries = {row[0]: (row[2], row[3]) for row in rows}
    return entries, HashBank((row[0], row[1]) for row in rows)


known_bank = RevisionCache("known_hashes", _bank)
