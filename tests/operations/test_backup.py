"""A backup of a running stack is restored into an empty folder, row by row, file by file."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import stat
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Api, eventually, unique
from tests.support.receiver import receiving
from tests.support.stack import Stack, running


@pytest.fixture(scope="module")
def busy() -> Iterator[Stack]:
    """A stack with a few decided submissions of every kind, and a row of the audit."""
    with running() as stack:
        api = Api(stack.url, stack.json("client", "create", "Backups", "--json")["key"])
        stack.run("moderator", "create", "ada", "--role", "administrator")
        for picture in ("review_a.jpg", "safe_chelsea.jpg", "animated_bad_frame_17.gif"):
            api.decided(picture)
        api.decided(title="A chair", description="Привет, 世界")
        stack.api = api  # type: ignore[attr-defined]
        yield stack


@pytest.fixture(scope="module")
def saved(busy: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup that was made while uploads came in."""
    folder = tmp_path_factory.mktemp("backups")
    over = threading.Event()

    def upload() -> None:
        while not over.is_set():
            busy.api.submit(unique("safe_chelsea.jpg"))  # type: ignore[attr-defined]

    sender = threading.Thread(target=upload)
    sender.start()
    try:
        told = busy.run("backup", str(folder))
    finally:
        over.set()
        sender.join()
    [path] = folder.iterdir()
    assert told.stdout.strip() == str(path)
    return path


def restore(stack: Stack, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return stack.run("restore", *map(str, arguments), check=False)


def rows(stack: Stack) -> dict[str, list[Any]]:
    """Every row of every table as text."""
    # Not by partition: the standby process drops what is too old, and makes what is coming.
    tables = [
        row[0]
        for row in stack.sql(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition"
        )
    ]
    return {t: sorted(r[0] for r in stack.sql(f'SELECT t::text FROM "{t}" t')) for t in tables}


def test_only_the_owner_can_read_a_backup(saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600


def test_sha256sum_verifies_a_backup_without_sluice(saved: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", saved, "-C", tmp_path], check=True)
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=tmp_path, check=True)


def test_the_restored_stack_is_identical_and_serves(
    busy: Stack, saved: Path, new_stack: Any
) -> None:
    other: Stack = new_stack(PRIORITY_WORKERS="0")
    told = restore(other, saved)
    assert told.returncode == 0, told.stderr
    assert "rows of" in told.stdout and "chain intact" in told.stdout
    assert "Not in a backup" in told.stdout
    other.up()
    before, after = rows(busy), rows(other)
    for table in ("client", "api_key", "moderator", "rule", "audit", "audit_chain", "known_hash"):
        assert after[table] == before[table], table
    files = other.sql("SELECT storage_key, encode(sha256, 'hex'), thumbnail FROM image")
    assert len(files) >= 3
    for key, digest, drawn in files:
        path = other.home / "media" / "originals" / key
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
        assert not drawn or (other.home / "media" / "thumbs" / f"{key}.webp").exists()
    originals = (other.home / "media" / "originals").glob("*/*")
    assert {f"{p.parent.name}/{p.name}" for p in originals} == {row[0] for row in files}
    assert (other.home / "secrets" / "hash").read_text() == (
        busy.home / "secrets" / "hash"
    ).read_text()
    api = Api(other.url, busy.api.http.headers["Authorization"].split()[1])  # type: ignore[attr-defined]
    assert api.decided("review_a.jpg")["verdict"] == "review"
    undecided = "SELECT id FROM submission WHERE verdict IS NULL"
    eventually(lambda: not other.sql(undecided))  # what was open when it was saved


def test_a_test_restore_sends_no_webhook_until_that_is_allowed(
    busy: Stack, new_stack: Any, tmp_path: Path
) -> None:
    with receiving() as hook:
        hook.status = 503
        made = busy.json("client", "create", "Hooks", "--webhook", hook.url, "--json")
        Api(busy.url, made["key"]).decided(title="A chair")
        owed = "SELECT state, attempts FROM delivery"
        eventually(lambda: hook.calls)
        busy.run("backup", str(tmp_path / "x.tar"))
        busy.sql("UPDATE client SET webhook_disabled_at = now() WHERE name = 'Hooks'")
        other: Stack = new_stack(PRIORITY_WORKERS="0")
        told = restore(other, "--hold-webhooks", tmp_path / "x.tar")
        assert told.returncode == 0, told.stderr
        assert "No webhook is sent: sluice.env has HOLD_WEBHOOKS=on" in told.stdout
        assert "HOLD_WEBHOOKS is on" in other.up().stdout
        before, [(started,)] = other.sql(owed), other.sql("SELECT now()::text")
        other.sql("UPDATE delivery SET due_at = now(), lease_until = NULL")
        other.sql("UPDATE client SET webhook_paused_until = NULL")
        hook.calls.clear()
        hook.status = 200
        samples = "SELECT 1 FROM load_sample WHERE at > %s::timestamptz"
        eventually(lambda: other.sql(samples, started))  # every duty of the standby has run
        assert (hook.calls, other.sql(owed)) == ([], before)
        settings = other.home / "sluice.env"
        settings.write_text(settings.read_text().replace("HOLD_WEBHOOKS=on\n", ""))
        other.run("restart", "standby")
        eventually(lambda: [row[0] for row in other.sql(owed)] == ["delivered"], 60)
        assert len(hook.calls) == 1


def test_verify_holds_nothing(busy: Stack, saved: Path) -> None:
    told = restore(busy, "--verify", "--hold-webhooks", saved)
    assert told.returncode == 1
    assert told.stderr == "restore: --verify starts nothing: leave out --hold-webhooks\n"


def test_a_folder_that_is_not_empty_is_refused(busy: Stack, saved: Path) -> None:
    told = restore(busy, saved)
    assert told.returncode == 1
    assert told.stderr.strip() == (
        f"restore: {busy.home} is not empty: set SLUICE_HOME to an empty folder"
    )


def test_verify_needs_no_stack(busy: Stack, saved: Path) -> None:
    told = restore(busy, "--verify", saved)
    assert told.returncode == 0, told.stderr
    assert "Complete" in told.stdout


@pytest.mark.parametrize("harm", ["cut", "changed", "swapped"])
def test_a_damaged_backup_is_refused_and_leaves_the_folder_empty(
    saved: Path, new_stack: Any, tmp_path: Path, harm: str
) -> None:
    bad = tmp_path / "bad.tar"
    {"cut": _cut, "changed": _change, "swapped": _swap}[harm](saved, bad)
    stack: Stack = new_stack()
    told = restore(stack, bad)
    assert told.returncode == 1
    assert told.stderr.startswith("restore: ") and told.stderr.count("\n") == 1
    assert not stack.home.exists() or not list(stack.home.iterdir())


def _cut(source: Path, target: Path) -> None:
    data = source.read_bytes()
    target.write_bytes(data[: len(data) // 2])


def _change(source: Path, target: Path) -> None:
    """One byte in the middle of a picture."""
    shutil.copy(source, target)
    with tarfile.open(source) as tar:
        member = next(m for m in tar if "/originals/" in m.name)
    with target.open("r+b") as file:
        file.seek(member.offset_data + member.size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def _swap(source: Path, target: Path) -> None:
    """A member that would be written elsewhere."""
    with tarfile.open(source) as tar, tarfile.open(target, "w") as out:
        for member in tar:
            data = tar.extractfile(member).read()  # type: ignore[union-attr]
            if member.name.startswith("secrets/"):
                member.name = "../" + member.name
            out.addfile(member, io.BytesIO(data))


def test_rows_that_differ_from_the_manifest_are_an_error(
    saved: Path, new_stack: Any, tmp_path: Path
) -> None:
    """A dump that is sound in itself, but not the one of the manifest."""
    bad = tmp_path / "bad.tar"
    with tarfile.open(saved) as tar, tarfile.open(bad, "w") as out:
        for member in tar:
            data = tar.extractfile(member).read()  # type: ignore[union-attr]
            if member.name == "manifest.json":
                data = re.sub(rb'"rows": \d+', b'"rows": 99', data, count=1)
                member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    told = restore(new_stack(), "--verify", bad)
    assert told.returncode == 1
    assert ", saved " in told.stderr


def test_no_file_is_overwritten_and_no_partial_file_is_left(busy: Stack, tmp_path: Path) -> None:
    taken = tmp_path / "taken.tar"
    taken.write_text("mine")
    told = busy.run("backup", str(taken), check=False)
    assert (told.returncode, taken.read_text()) == (1, "mine")
    assert "exists" in told.stderr
    lost = Stack(home=tmp_path / "nothing")
    told = lost.run("backup", str(tmp_path / "x.tar"), check=False)
    assert told.returncode == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["taken.tar"]
    shutil.rmtree(lost.folder)


def test_a_missing_picture_is_reported(busy: Stack, tmp_path: Path) -> None:
    [(key,)] = busy.sql("SELECT storage_key FROM image ORDER BY id LIMIT 1")
    path = busy.home / "media" / "originals" / key
    path.rename(path.with_suffix(".away"))
    try:
        told = busy.run("backup", str(tmp_path / "x.tar"), check=False)
    finally:
        path.with_suffix(".away").rename(path)
    assert told.returncode == 4
    assert key in told.stderr
    assert (tmp_path / "x.tar").exists()  # a lost picture must not cost the backup of all others
