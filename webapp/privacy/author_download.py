"""All data held about an author as a stream: a JSON document, or a ZIP with the originals."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from typing import IO, Any, cast

from flask import Response

from models.clients.client import Client
from models.database.connection import connection
from models.privacy.author_export import Person, file_name, now, upload
from models.settings import Settings
from tasks import storage as stores
from tasks.storage import original

FORMATS = ("json", "zip")


def response(settings: Settings, client: Client, user_id: str, how: str) -> Response:
    """The download; raises NotFound if nothing is stored about the author."""
    person = Person(client.id, user_id)
    person.check()
    text = document(client.name, person)
    body = (part.encode() for part in text) if how == "json" else archive(settings, person, text)
    download = Response(body, mimetype=f"application/{how}")
    download.headers["Content-Disposition"] = f'attachment; filename="author.{how}"'
    download.headers["Cache-Control"] = "no-store"
    download.headers["X-Accel-Buffering"] = "no"
    return download


def document(client: str, person: Person) -> Iterator[str]:
    """The document, one submission at a time; no transaction stays open between them."""
    with connection():
        head = {
            "exported_at": now(),
            "client": client,
            "user_id": person.user_id,
            "author": person.record(),
            "acts": person.actions(),
        }
        yield _json(head)[:-1] + ', "submissions": ['
        comma = ""
        for submission in person.uploads():
            yield f"{comma}\n{_json(upload(submission))}"
            comma = ","
    yield "]}\n"


def archive(settings: Settings, person: Person, text: Iterator[str]) -> Iterator[bytes]:
    """A ZIP of ``author.json`` and the originals as they were sent, without compression."""
    sink, storage = _Sink(), stores.of(settings)
    with zipfile.ZipFile(cast("IO[bytes]", sink), "w", zipfile.ZIP_STORED) as zip_file:
        with zip_file.open("author.json", "w", force_zip64=True) as entry:
            for part in text:
                entry.write(part.encode())
                yield sink.take()
        with connection():
            for submission in person.uploads():
                for image in submission.images:
                    try:
                        stored = storage.open(original(image.storage_key))
                    except FileNotFoundError:
                        continue
                    with zip_file.open(file_name(image), "w") as entry:
                        for data in stored.chunks:
                            entry.write(data)
                            yield sink.take()
    yield sink.take()


class _Sink:
    """A write-only file for the ZIP; ``take`` drains what was written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Buffer the bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: ``take`` returns everything that was written."""

    def take(self) -> bytes:
        """The bytes written since the last call."""
        taken, self._parts = b"".join(self._parts), []
        return taken


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
