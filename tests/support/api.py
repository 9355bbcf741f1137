"""Speaking to a stack as a client's engineer would."""

from __future__ import annotations

import io
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from PIL import Image

PICTURES = Path(__file__).parents[1] / "fixtures"
JPEG = PICTURES / "safe_astronaut.jpg"


class Api:
    """The calls of ``/api/moderation`` with one key; every upload is by a new author."""

    def __init__(self, url: str, key: str) -> None:
        self.base = f"{url}/api/moderation"
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {key}"

    def submit(self, *pictures: str | bytes, **fields: Any) -> requests.Response:
        """Send an upload; pictures are fixtures' names or bytes, ``headers`` go along."""
        headers = fields.pop("headers", {})
        fields.setdefault("user_id", f"author-{uuid4().hex[:10]}")
        if not pictures:
            return self.http.post(f"{self.base}/submissions", json=fields, headers=headers)
        files = [("images", (f"{i}.jpg", content(p), "image/jpeg")) for i, p in enumerate(pictures)]
        return self.http.post(f"{self.base}/submissions", data=fields, files=files, headers=headers)

    def status(self, job_id: str, wait: float = 0) -> dict[str, Any]:
        """The submission as it is, or as it is once decided."""
        reply = self.http.get(f"{self.base}/status/{job_id}", params={"wait": wait})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def decided(self, *pictures: str | bytes, **fields: Any) -> dict[str, Any]:
        """Send an upload and wait for its verdict, whatever the mode."""
        reply = self.submit(*pictures, **fields)
        assert reply.status_code in (200, 202), reply.text
        told = reply.json()
        return told if reply.status_code == 200 else self.status(told["job_id"], wait=25)

    def stats(self) -> dict[str, Any]:
        """The load."""
        return self.http.get(f"{self.base}/stats").json()


def content(picture: str | bytes) -> bytes:
    """A fixture's bytes by its name, or the bytes themselves."""
    return picture if isinstance(picture, bytes) else (PICTURES / picture).read_bytes()


def unique(picture: str | bytes) -> bytes:
    """The same JPEG with other bytes: a comment goes in behind the first marker."""
    data, comment = content(picture), uuid4().hex.encode()
    return data[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[2:]


def drawn() -> bytes:
    """A JPEG that looks like no other: clouds of noise."""
    small = Image.effect_noise((12, 9), 90)
    file = io.BytesIO()
    small.resize((400, 300), Image.Resampling.BICUBIC).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def bomb(side: int) -> bytes:
    """A PNG that says it is ``side`` pixels a side and is small itself."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(50_000_000), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def eventually(question: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true answer; fails with the last one when the time is up."""
    until = time.monotonic() + seconds
    while True:
        answer = question()
        if answer or time.monotonic() > until:
            assert answer, f"still {answer!r} after {seconds} s"
            return answer
        time.sleep(0.1)
