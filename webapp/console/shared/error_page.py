"""Errors as the console shows them: a page, or a fragment for a part of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import current_app, make_response, redirect, request, url_for

from webapp.http import fragments

if TYPE_CHECKING:
    from webapp.http.errors import Problem

TITLES = {
    400: "The form has expired",
    403: "Not allowed",
    404: "Nothing is here",
    409: "Somebody was faster",
    422: "That does not work",
    429: "Too many attempts",
    500: "Something went wrong",
}
HELP = {
    400: "Go back, load the page anew and try again.",
    401: "Sign in and try again.",
    429: "This keeps passwords from being guessed.",
    503: "Nothing is lost. The page can be tried again in a moment.",
}


def render(problem: Problem) -> Any:
    """The reply for a problem; who must sign in first is led there."""
    fragment = fragments.wanted()
    if problem.status == 401 and not fragment and request.method == "GET":
        return redirect(url_for("signing.sign_in", next=request.full_path.rstrip("?")))
    template = "errors/_problem.html" if fragment else "errors/page.html"
    values = {
        "problem": problem,
        "title": TITLES.get(problem.status, problem.title),
        "help": HELP.get(problem.status, ""),
    }
    text = current_app.jinja_env.get_template(template).render(values)  # asks for no account
    reply = make_response(text, problem.status)
    if problem.retry_after is not None:
        reply.headers["Retry-After"] = str(problem.retry_after)
    return reply
