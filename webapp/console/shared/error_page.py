"""Errors in the console: rendered as a page or a fragment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import current_app, make_response, redirect, request, url_for

from webapp.http import fragments

if TYPE_CHECKING:
    from webapp.http.errors import Problem

TITLES = {
    400: "The form has expired",
    403: "Not allowed",
    404: "Not found",
    409: "Changed by somebody else",
    422: "Not valid",
    429: "Too many attempts",
    500: "Something went wrong",
}
HELP = {
    400: "Go back, reload the page and try again.",
    401: "Sign in and try again.",
    429: "This limit prevents password guessing.",
    503: "No data is lost. Try again in a moment.",
}


def render(problem: Problem) -> Any:
    """The response for a problem; a page that needs a session redirects to sign-in."""
    fragment = fragments.is_requested()
    if problem.status == 401 and not fragment and request.method == "GET":
        return redirect(url_for("signing.sign_in", next=request.full_path.rstrip("?")))
    template = "errors/_problem.html" if fragment else "errors/page.html"
    values = {
        "problem": problem,
        "title": TITLES.get(problem.status, problem.title),
        "help": HELP.get(problem.status, ""),
    }
    # Not render_template: its context processors need the database, which may be down.
    text = current_app.jinja_env.get_template(template).render(values)
    response = make_response(text, problem.status)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response
