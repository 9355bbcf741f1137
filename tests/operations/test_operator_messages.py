"""What an operator reads after a mistake: one line, with the place of the mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.servers import database, rows
from tests.support.stack import ROOT, SCRIPTS, SMALL, Stack, running, wait_until

UNKNOWN = "9999_of_a_later_release"


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    with running(ALERT_AFTER="3600") as stack:
        yield stack


@pytest.fixture
def settings_file(own: Stack) -> Iterator[Path]:
    """The stack's sluice.env, which is removed after the test."""
    path = own.home / "sluice.env"
    yield path
    path.unlink(missing_ok=True)


def test_a_bad_line_does_not_disable_status_and_scale(own: Stack, settings_file: Path) -> None:
    settings_file.write_text("UNDO_SECONDS=7\nPORT 9000\nMAX_FRAMES=many\n")
    told = own.run("status", "--json")
    assert json.loads(told.stdout)["running"]
    first, second = told.stderr.splitlines()
    assert first == f"warning: {settings_file}:2: the line is not NAME=value; ignored"
    assert second.startswith("warning: MAX_FRAMES is 'many'")
    assert f"({settings_file}:3); ignored" in second
    assert "workers: 1" in own.run("scale").stdout


def test_a_bad_line_stops_a_restart_before_it_begins(own: Stack, settings_file: Path) -> None:
    before = own.pids()
    settings_file.write_text("UNDO_SECONDS=7\nMAX_FRAMES=many\n")
    done = own.run("restart", check=False)
    settings_file.unlink()
    assert done.returncode == 1
    assert done.stderr == (
        f"restart: MAX_FRAMES is 'many'; it must be a number ({settings_file}:2)\n"
    )
    assert own.pids() == before


def test_a_mistyped_name_is_a_warning(own: Stack, settings_file: Path) -> None:
    settings_file.write_text("UNDO_SECOND=7\n")
    done = own.run("restart", "standby")
    assert done.stderr == (
        f"warning: {settings_file}:1: UNDO_SECOND is not a setting: did you mean UNDO_SECONDS?\n"
    )


def test_the_url_is_the_one_that_is_served(own: Stack, settings_file: Path) -> None:
    """`up` and `status` name the address that is served, and not one that the file has since."""
    settings_file.write_text("PUBLIC_URL=https://elsewhere.example\n")
    told = own.run("up", "--detach", "--port", "1234")
    assert told.stdout.splitlines()[0] == f"Sluice is already up: {own.url}"
    assert "--port had no effect" in told.stdout
    assert own.status()["url"] == own.url


def test_a_bad_line_does_not_disable_down(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(**SMALL)
    stack.up()
    (stack.home / "sluice.env").write_bytes(b"\xffPORT 9000\n")
    done = stack.down()
    assert done.stderr == f"warning: {stack.home}/sluice.env is not UTF-8 text; ignored\n"
    assert stack.left() == []


def test_a_folder_of_somebody_else_is_one_line(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack()
    stack.home.mkdir(mode=0)
    for script in ("status", "down", "scale", "client"):
        done = stack.run(script, *(["list"] if script == "client" else []), check=False)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1, done.stderr
        assert f"cannot use {stack.home}" in done.stderr
    stack.home.chmod(0o700)


def test_a_file_of_somebody_else_is_one_line(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack()
    stack.home.mkdir(mode=0o700)
    (stack.home / "sluice.env").touch(mode=0)
    done = stack.run("up", "--detach", check=False)
    [line] = done.stderr.splitlines()
    assert line == f"up: {stack.home}/sluice.env cannot be read: Permission denied"
    (stack.home / "sluice.env").unlink()
    (stack.home / "etc").mkdir(mode=0)
    done = stack.run("up", "--detach", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"up: {stack.home}/etc")
    (stack.home / "etc").chmod(0o700)


def test_a_server_on_all_addresses_asks_for_its_public_url(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(**SMALL, HOST="0.0.0.0")
    said = " ".join(stack.up().stdout.split())
    assert "Warning PUBLIC_URL is not set: links and check_url begin with http://" in said
    stack.down()
    stack.env["PUBLIC_URL"] = "https://moderation.example"
    said = stack.up().stdout
    assert "PUBLIC_URL" not in said
    assert "https://moderation.example/console/" in said


def test_a_host_that_is_not_this_machines_is_one_line(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(HOST="192.0.2.1")
    done = stack.run("up", "--detach", check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("HOST must be of this machine")


def test_an_embedded_redis_that_cannot_start_is_one_error(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(**SMALL, REDIS_BIN="/bin/false")
    done = stack.up(check=False)
    assert done.returncode == 1
    assert "up: the embedded Redis does not start" in done.stderr
    assert stack.left() == []


def newer(stack: Stack, url: str, module: str) -> str:
    """What a migration says in a database that a later release has migrated."""
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**stack.env, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_old_code_says_that_the_schema_is_newer_and_changes_nothing(own: Stack) -> None:
    with database(own) as url:
        newer(own, url, "models.migrate")
        rows(url, "INSERT INTO schema_migration (name, applied) VALUES (%s, now())", UNKNOWN)
        rights = "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee='sluice'"
        rows(url, "REVOKE ALL ON audit FROM sluice")
        before = rows(url, rights)
        for module in ("models.migrate", "tasks.stack.migrate"):
            said = newer(own, url, module)
            assert f"a later release applied {UNKNOWN}; nothing was changed" in said
        assert rows(url, rights) == before


def test_root_is_told_as_whom_it_runs_and_how_to_change_that() -> None:
    """The function alone: the tests themselves do not run as root."""
    code = f"source {SCRIPTS}/_lib.sh; is_root() {{ true; }}; SERVICE_USER=$1; say_service_user"
    env = {"PATH": os.environ["PATH"], "SLUICE_HOME": "/srv/sluice"}

    def said(user: str) -> str:
        command = ["bash", "-euo", "pipefail", "-c", code, "test", user]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    assert said("sluice").split() == ["user", "sluice"]
    assert "useradd --system" in said("nobody")
    assert "chown -R sluice: /srv/sluice" in said("nobody")


def test_webhooks_that_are_held_are_shown(own: Stack, settings_file: Path) -> None:
    settings_file.write_text("HOLD_WEBHOOKS=on\n")
    own.run("restart", "web", "standby")
    wait_until(lambda: "HOLD_WEBHOOKS is on" in own.run("status").stdout)
