"""The settings' page: every setting, no secret, and versions for administrators alone."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest

from models.settings import Settings
from tests.support.console import person
from webapp.console.operations.settings import groups, shown

SETTINGS = Settings()


def test_every_setting_stands_on_the_page(stack):
    page = person(stack, "viewer").get("/settings/").text
    for field in fields(Settings):
        assert f"<code>{field.name.upper()}</code>" in page
    assert "<form" not in page.split("<main")[1].split("</main")[0]


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("database_url", "postgresql://sluice:hunter2@db/x", "hunter2"),
        ("redis_url", "redis://:hunter2@cache:6379/0", "hunter2"),
        ("storage_url", "s3://bucket?secret_key=hunter2&region=x", "hunter2"),
        ("moderation_image_service_url", "https://a:hunter2@one,https://b:hunter2@two", "hunter2"),
        ("moderation_image_service_key", "hunter2", "hunter2"),
        ("alert_urls", "slack://hunter2/b/c mailto://me:p@mail", "hunter2"),
    ],
)
def test_no_secret_is_shown(name, value, secret):
    told = shown(name, value)
    assert secret not in told and "••" in told


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("port", 18410, "18410"),
        ("http_port", 18080, "18080"),
        ("hsts_seconds", 31_536_000, "31,536,000"),
        ("sync_timeout", 2.0, "2"),
    ],
)
def test_a_port_is_no_amount(name, value, text):
    assert shown(name, value) == text


def test_what_was_changed_is_told_with_its_default():
    found = groups(replace(SETTINGS, sync_max_depth=7, reject_at=0.9))
    changed = [row for rows in found.values() for row in rows if row.changed]
    assert [(row.name, row.value, row.default) for row in changed] == [
        ("SYNC_MAX_DEPTH", "7", "100"),
        ("REJECT_AT", "0.9", "0.8"),
    ]
    assert sum(map(len, found.values())) == len(fields(Settings))


def test_versions_are_for_administrators(stack):
    page = person(stack, "administrator").get("/settings/").text
    for name in ("Python", "PostgreSQL", "Valkey", "nginx"):
        assert re.search(rf"<dt>{name}</dt><dd>\d", page), name
    for role in ("viewer", "moderator"):
        assert "Versions" not in person(stack, role).get("/settings/").text
