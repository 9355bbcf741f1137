"""Whether a request wants a part of a page (htmx, or our own script) or the whole of it."""

from __future__ import annotations

from flask_htmx import HTMX

htmx = HTMX()


def wanted() -> bool:
    """Whether a fragment is wanted; a restored history entry gets the page."""
    return bool(htmx) and not htmx.history_restore_request
