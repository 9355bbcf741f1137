"""The file of a backup: a tar whose last members say what is in it.

    database.dump  sluice.env  etc/scale.json  secrets/*  media/**  SHA256SUMS  manifest.json

`tar -xf` and `sha256sum -c SHA256SUMS` read it without Sluice.
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
# Where a member may go; whatever else a file holds is not ours.
NAMES = re.compile(
    r"database\.dump|sluice\.env|etc/scale\.json|secrets/\w+"
    r"|media/(?:originals|thumbs)/[\w.-]+/[\w.-]+|SHA256SUMS|manifest\.json"
)
CHUNK = 1024 * 1024


class Writer:
    """Writes a backup to a stream, which need not be a file."""

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
        """Add a member that need not fit into memory, from a file that stays as it is."""
        with path.open("rb") as source:
            self.sums[name] = hashlib.file_digest(source, "sha256").hexdigest()
            source.seek(0)
            self._add(name, path.stat().st_size, source)

    def finish(self, manifest: dict[str, Any]) -> None:
        """Write the checksums and the manifest, which makes the backup whole."""
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


Place = Callable[[str], Path | None]


def read(source: BinaryIO, place: Place, note: Callable[[int], None]) -> dict[str, Any]:
    """Read a backup from its beginning and check every member against its SHA-256.

    ``place`` says where a member goes, None where it is only to be checked. Returns the manifest;
    raises Invalid where it is no backup, or not whole, or a file of it has changed.
    """
    found: dict[str, str] = {}
    kept: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            for member in _members(tar):
                stream = tar.extractfile(member)
                if stream is None:
                    raise Invalid(f"{member.name} is no file")
                if member.name in (SUMS, MANIFEST):
                    kept[member.name] = stream.read()
                    found[member.name] = hashlib.sha256(kept[member.name]).hexdigest()
                else:
                    found[member.name] = _copy(stream, place(member.name))
                note(len(found))
    except (tarfile.TarError, EOFError) as error:
        raise Invalid(f"it cannot be read as a tar: {error}") from error
    return _checked(found, kept)


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        if not member.isreg() or not NAMES.fullmatch(member.name):
            raise Invalid(f"{member.name!r} is no part of a backup")
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


def _checked(found: dict[str, str], kept: dict[str, bytes]) -> dict[str, Any]:
    if set(kept) != {SUMS, MANIFEST}:
        raise Invalid("it is not whole: its manifest is missing")
    manifest: dict[str, Any] = json.loads(kept[MANIFEST])
    if manifest.get("format") != FORMAT:
        raise Invalid(f"its format is {manifest.get('format')}; this Sluice reads {FORMAT}")
    lines = kept[SUMS].decode().splitlines()
    said = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = {name: digest for name, digest in found.items() if name not in (SUMS, MANIFEST)}
    if found[SUMS] != manifest["sums"]:
        raise Invalid(f"{SUMS} is not the one that the manifest names")
    for name in sorted(set(said) | set(there)):
        if said.get(name) != there.get(name):
            what = "is missing" if name not in there else "has changed or does not belong to it"
            raise Invalid(f"{name} {what}")
    return manifest
