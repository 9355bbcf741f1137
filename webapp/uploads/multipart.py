"""Werkzeug's form parser with bounds for url-encoded forms, and a chunk size that is faster."""

from __future__ import annotations

from typing import IO, Any, cast
from urllib.parse import parse_qsl

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from webapp.http.body_limits import MOST_FIELDS

READ_SIZE = 256 * 1024  # bytes per read from the connection
CHUNK_SIZE = 16 * 1024  # bytes per chunk for the parser


class ChunkedStream:
    """A stream that reads large blocks and returns small chunks.

    If the parser's buffer holds a boundary, it searches it byte by byte with a regular expression;
    a buffer without one is skipped quickly. With small chunks a file of 100 KB costs 0.10 ms; with
    the 64 KB that the parser asks for it costs 0.23 ms.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._block, self._at = b"", 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most ``size``; empty only at the end."""
        if self._at >= len(self._block):
            self._block, self._at = self._stream.read(READ_SIZE), 0
        end = self._at + (min(size, CHUNK_SIZE) if size >= 0 else CHUNK_SIZE)
        piece, self._at = self._block[self._at : end], end
        return piece


class BoundedParser(FormDataParser):
    """Werkzeug's parser with another chunk size, and with bounds for url-encoded forms.

    Werkzeug reads a url-encoded form whole, with any number of fields: 50 MB of ``a&a&`` took 2 GB
    and 30 seconds, in which no other request was served.
    """

    def parse(self, stream: IO[bytes], mimetype: str, *more: Any, **named: Any) -> Any:
        """``(stream, form, files)`` of a body."""
        if mimetype != "multipart/form-data":
            return super().parse(stream, mimetype, *more, **named)
        chunks = cast("IO[bytes]", ChunkedStream(stream))
        _, form, files = super().parse(chunks, mimetype, *more, **named)
        return stream, form, files

    def _parse_urlencoded(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> Any:
        """Raises RequestEntityTooLarge for too many bytes or fields."""
        most = self.max_form_memory_size
        data = stream.read() if most is None else stream.read(most + 1)
        if (most is not None and len(data) > most) or data.count(b"&") >= MOST_FIELDS:
            raise RequestEntityTooLarge()
        items = parse_qsl(data.decode(), keep_blank_values=True, errors="werkzeug.url_quote")
        return stream, self.cls(items), self.cls()
