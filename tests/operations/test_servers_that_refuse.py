"""Servers that respond but refuse: a Redis that is full, a media folder that cannot be written."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest
import redis
import requests

from models.settings import Settings
from tests.support.api import Api, unique
from tests.support.stack import Stack, running, wait_until

TITLE = {"title": "A text needs no picture."}


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    with running(ALERT_AFTER="1", SYNC_TIMEOUT="30") as stack:
        yield stack


@pytest.fixture(scope="module")
def api(own: Stack) -> Api:
    return Api(own.url, own.json("client", "create", "Shop", "--json")["key"])


def part(own: Stack, name: str) -> tuple[str, str]:
    """(state, detail) of a part of /readyz."""
    parts = requests.get(own.url + "/readyz", timeout=30).json()["parts"]
    return next((p["state"], p["detail"]) for p in parts if p["name"] == name)


def alerts(own: Stack, rule: str) -> list[str]:
    """The sentences of the open alerts of a rule."""
    sql = "SELECT sentence FROM alert WHERE rule = %s AND ended_at IS NULL"
    return [row[0] for row in own.sql(sql, rule)]


@contextlib.contextmanager
def full(own: Stack) -> Iterator[None]:
    """Redis has reached its maxmemory during the block."""
    with redis.Redis.from_url(Settings.load(own.env).redis) as server:
        server.config_set("maxmemory", 1)
        try:
            yield
        finally:
            server.config_set("maxmemory", 0)


def test_a_redis_that_is_full_means_direct_until_it_has_room(own: Stack, api: Api) -> None:
    words = "refuses writes: its memory is full (maxmemory)"
    with full(own):
        wait_until(lambda: part(own, "Redis") == ("down", words), 30)
        decided = api.submit(**TITLE).json()
        assert (decided["status"], decided["mode"]) == ("decided", "direct")
        reported = json.loads(own.run("status", "--json").stdout)
        assert (reported["mode"], reported["mode_why"]) == ("direct", f"Redis {words}")
        wait_until(lambda: any(words in sentence for sentence in alerts(own, "redis")), 60)
    wait_until(lambda: part(own, "Redis")[0] == "ok", 30)
    wait_until(lambda: api.submit(**TITLE).json()["mode"] == "sync", 30)
    wait_until(lambda: alerts(own, "redis") == [], 60)


def test_status_reports_what_is_wrong_now_and_not_what_was_read_before(own: Stack) -> None:
    assert part(own, "Redis")[0] == "ok"  # the web instance keeps this for two seconds
    with full(own):
        status = json.loads(own.run("status", "--json").stdout)
    assert [p["state"] for p in status["health"] if p["name"] == "Redis"] == ["down"]
    assert status["mode"] == "direct"
    wait_until(lambda: part(own, "Redis")[0] == "ok", 30)


@contextlib.contextmanager
def read_only(own: Stack) -> Iterator[None]:
    """The folder of the originals cannot be written during the block."""
    originals = Settings.load(own.env).media / "originals"
    folders = [originals, *originals.iterdir()]
    modes = [folder.stat().st_mode for folder in folders]
    for folder in folders:
        folder.chmod(0o500)
    try:
        yield
    finally:
        for folder, mode in zip(folders, modes, strict=True):
            folder.chmod(mode)


def test_a_media_folder_that_cannot_be_written(own: Stack, api: Api) -> None:
    assert api.submit(unique("safe_coffee.jpg")).status_code == 200
    words = "The media folder cannot be written: Permission denied"
    picture = unique("safe_coffee.jpg")
    with read_only(own):
        refused = api.submit(picture)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30"), refused.text
        assert refused.json()["detail"] == f"{words}. Nothing was stored."
        wait_until(lambda: part(own, "Storage") == ("down", words), 30)
        assert requests.get(own.url + "/readyz", timeout=30).status_code == 503
        assert words in own.run("status").stdout
        assert api.submit(**TITLE).status_code == 200
        wait_until(lambda: any(words in sentence for sentence in alerts(own, "storage")), 60)
    assert api.submit(picture).status_code == 200
    wait_until(lambda: part(own, "Storage")[0] == "ok", 30)
