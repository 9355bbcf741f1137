"""Errors in the console: rendered as a page or a fragment."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import peewee
import redis
from flask import current_app, make_response, redirect, render_template, request, url_for
from flask_login import current_user

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


# A person's own errors keep the navigation; others may be caused by what the frame reads.
FRAMED = (400, 403, 404, 405, 409, 413, 415, 422, 429)


def render(problem: Problem) -> Any:
    """The response for a problem; a page that needs a session redirects to sign-in."""
    fragment = fragments.is_requested()
    if problem.status == 401 and not fragment and request.method == "GET":
        return redirect(url_for("signing.sign_in", next=request.full_path.rstrip("?")))
    values = {
        "problem": problem,
        "title": TITLES.get(problem.status, problem.title),
        "help": HELP.get(problem.status, ""),
    }
    text = "" if fragment else _framed(problem, values)
    if not text:
        template = "errors/_problem.html" if fragment else "errors/page.html"
        # Not render_template: its context processors need the database, which may be down.
        text = current_app.jinja_env.get_template(template).render(values)
    response = make_response(text, problem.status)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def _framed(problem: Problem, values: dict[str, Any]) -> str:
    """The page with the console's navigation; empty if nobody is signed in, or it needs more."""
    if problem.status not in FRAMED:
        return ""
    submission_id = (request.view_args or {}).get("submission_id")
    with contextlib.suppress(peewee.PeeweeException, redis.RedisError):
        if current_user.is_authenticated:
            way = {"back": _came_from(), "submission_id": submission_id}
            return render_template("errors/framed.html", **values, **way)
    return ""


def _came_from() -> str:
    """The path of the page of the console that led here; empty if it is unknown or this one."""
    came = urlsplit(request.referrer or "")
    path = f"{came.path}?{came.query}" if came.query else came.path
    same_page = path == request.full_path.rstrip("?")
    if came.netloc != request.host or not path.startswith("/console") or same_page:
        return ""
    return path
