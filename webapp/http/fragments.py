"""Whether a request asks for a fragment of a page (htmx, or our own script) or the full page."""

from __future__ import annotations

from flask_htmx import HTMX

htmx = HTMX()


def is_requested() -> bool:
    """Whether a fragment is requested; a restored history entry gets the full page."""
    return bool(htmx) and not htmx.history_restore_request
