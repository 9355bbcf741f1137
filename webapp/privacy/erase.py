"""Erasure for the API and the console: rows first, then files, both before the response."""

from __future__ import annotations

from uuid import UUID

from models.privacy import erasure
from models.privacy.erasure import By
from models.settings import get_settings
from tasks.maintenance import retention

BY_CLIENT = By()


def submission(submission_id: UUID, client_id: int | None, by: By = BY_CLIENT) -> None:
    """Erase a submission, of this client if one is given; raises NotFound."""
    retention.remove_files(erasure.erase_submission(submission_id, client_id, by))


def author(client_id: int, user_id: str, by: By = BY_CLIENT) -> None:
    """Erase an author of a client; raises NotFound if nothing is stored about them."""
    settings = get_settings()
    digest = erasure.author_digest(settings.secret("hash"), client_id, user_id)
    requested = erasure.ask_for_author(client_id, user_id, digest, by)
    if requested is not None:
        retention.erase(requested)
