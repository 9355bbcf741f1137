"""The file of a backup: a tar whose last members list its content.

    database.dump  sluice.env  etc/scale.json  secrets/*  media/**  SHA256SUMS  manifest.json

`tar -xf` and `sha256sum -c SHA256SUMS` can read it without Sluice.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from models.errors import Invalid

FORMAT = 1
SUMS, MANIFEST, DUMP = "SHA256SUMS", "manifest.json", "database.dump"
# The allowed member names; any other member is refused.
NAMES = re.compile(
    r"database\.dump|sluice\.env|etc/scale\.json|secrets/\w+"
    r"|media/(?:originals|thumbs)/[\w.-]+/[\w.-]+|SHA256SUMS|manifest\.json"
)
CHUNK = 1024 * 1024


class Writer:
    """Writes a backup to a stream, which may be a pipe."""

    def __init__(self, target: BinaryIO) -> None:
        self._tar = tarfile.TarFile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT)
        self.sums: dict[str, str] = {}
        self.bytes = 0

    def add(self, name: str, data: bytes) -> str:
        """Add a member; returns its SHA-256."""
        self._add(name, len(data), io.BytesIO(data))
        self.sums[name] = hashlib.sha256(data).hexdigest()
        return self.sums[name]

    def add_file(self, name: str, path: Path) -> None:
        """Add a member from a file that does not change; it may be larger than memory."""
        with path.open("rb") as source:
            self.sums[name] = hashlib.file_digest(source, "sha256").hexdigest()
            source.seek(0)
            self._add(name, path.stat().st_size, source)

    def finish(self, manifest: dict[str, Any]) -> None:
        """Write the checksums and the manifest, which complete the backup."""
        lines = "".join(f"{digest}  {name}\n" for name, digest in self.sums.items())
        manifest |= {
            "format": FORMAT,
            "files": len(self.sums),
            "sums": self.add(SUMS, lines.encode()),
        }
        self.add(MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
        self._tar.close()

    def _add(self, name: str, size: int, source: Any) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, int(time.time())
        self._tar.addfile(member, source)
        self.bytes += size


Target = Callable[[str], Path | None]


def read(source: BinaryIO, target: Target, note: Callable[[int], None]) -> dict[str, Any]:
    """Read a backup from its beginning and check every member against its SHA-256.

    ``target`` returns the path for a member, None if it is only checked. Returns the manifest;
    raises Invalid if it is not a backup, is incomplete, or a file in it has changed.
    """
    digests: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            for member in _members(tar):
                stream = tar.extractfile(member)
                if stream is None:
                    raise Invalid(f"{member.name} is not a file")
                if member.name in (SUMS, MANIFEST):
                    contents[member.name] = stream.read()
                    digests[member.name] = hashlib.sha256(contents[member.name]).hexdigest()
                else:
                    digests[member.name] = _copy(stream, target(member.name))
                note(len(digests))
    except (tarfile.TarError, EOFError) as error:
        raise Invalid(f"it cannot be read as a tar: {error}") from error
    return _checked(digests, contents)


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        if not member.isreg() or not NAMES.fullmatch(member.name):
            raise Invalid(f"{member.name!r} is not part of a backup")
        yield member


def _copy(stream: Any, path: Path | None) -> str:
    digest = hashlib.sha256()
    if path is None:
        while data := stream.read(CHUNK):
            digest.update(data)
        return digest.hexdigest()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while data := stream.read(CHUNK):
            digest.update(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _checked(digests: dict[str, str], contents: dict[str, bytes]) -> dict[str, Any]:
    if set(contents) != {SUMS, MANIFEST}:
        raise Invalid("it is incomplete: its manifest is missing")
    manifest: dict[str, Any] = json.loads(contents[MANIFEST])
    if manifest.get("format") != FORMAT:
        raise Invalid(f"its format is {manifest.get('format')}; this Sluice reads {FORMAT}")
    lines = contents[SUMS].decode().splitlines()
    expected = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    actual = {name: digest for name, digest in digests.items() if name not in (SUMS, MANIFEST)}
    if digests[SUMS] != manifest["sums"]:
        raise Invalid(f"{SUMS} does not match the manifest")
    for name in sorted(set(expected) | set(actual)):
        if expected.get(name) != actual.get(name):
            what = "is missing" if name not in actual else "has changed or is not listed"
            raise Invalid(f"{name} {what}")
    return manifest
