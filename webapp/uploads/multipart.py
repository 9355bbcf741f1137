"""Werkzeug's form parser with bounds, declared charsets, and errors that say what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any, cast

from werkzeug.datastructures import FileStorage, Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import (
    HEADER_CONTINUATION_RE,
    Data,
    Epilogue,
    Field,
    File,
    MultipartDecoder,
    NeedData,
    State,
)

from models.errors import Malformed, TooLarge, readable_size
from webapp.http.body_limits import MOST_FIELDS
from webapp.uploads import charset
from webapp.uploads.charset import RawField

READ_SIZE = 256 * 1024  # bytes per read from the connection
CHUNK_SIZE = 16 * 1024  # bytes per chunk for the parser
MOST_HEADERS, MOST_HEADER_LINES = 8 * 1024, 32  # bytes and lines of one part's headers
NO_BOUNDARY = (
    "The Content-Type names no boundary: multipart/form-data; boundary=…. HTTP libraries set this"
    " header themselves when they make the form."
)


class ChunkedStream:
    """A stream that reads large blocks and returns small chunks.

    If the parser's buffer holds a boundary, it searches it byte by byte with a regular expression;
    a buffer without one is skipped quickly. With small chunks a file of 100 KB costs 0.10 ms; with
    the 64 KB that the parser asks for it costs 0.23 ms.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._block, self._at = b"", 0

    def read(self) -> bytes:
        """The next bytes; empty only at the end."""
        if self._at >= len(self._block):
            self._block, self._at = self._stream.read(READ_SIZE), 0
        end = self._at + CHUNK_SIZE
        piece, self._at = self._block[self._at : end], end
        return piece


class PartDecoder(MultipartDecoder):
    """Werkzeug's decoder; headers may have bytes that are not UTF-8, such as a file's name.

    Werkzeug refuses the whole form for such a byte. It also parses headers of any size: 100,000
    lines in each of 64 parts took half a minute, in which no other request was served.
    """

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        if len(data) > MOST_HEADERS or data.count(b"\n") > MOST_HEADER_LINES:
            raise TooLarge(
                f"A part has more than {readable_size(MOST_HEADERS)}"
                f" or {MOST_HEADER_LINES} lines of headers."
            )
        headers = []
        for line in HEADER_CONTINUATION_RE.sub(b" ", data).splitlines():
            if line.strip(b" \t"):
                name, _, value = line.decode("utf-8", "surrogateescape").partition(":")
                headers.append((name.strip(" \t"), value.strip(" \t")))
        return Headers(headers)


class MultipartForm:
    """The fields and files of one multipart body, collected part by part."""

    def __init__(self, label: str | None, most_text: int | None, make: Callable[..., Any]) -> None:
        self.fields: list[RawField] = []
        self.files: list[tuple[Any, FileStorage]] = []  # a part may have no name: None
        self._label, self._most_text, self._make = label, most_text, make
        self._part: Field | File | None = None
        self._text: list[bytes] = []
        self._length = 0
        self._file: Any = None
        self.has_nameless = False

    def begin(self, part: Field | File) -> None:
        """Begin a part; a file gets its destination. Raises Invalid if there may be none."""
        self._part, self._text, self._length, self._file = part, [], 0, None
        if isinstance(part, File):
            name = self._name(part.filename)
            self._file = self._make(
                total_content_length=None,
                content_type=part.headers.get("content-type"),
                filename=name,
            )

    def add(self, data: Data) -> None:
        """Add bytes to the part, and end it after its last ones. Raises TooLarge."""
        if self._file is not None:
            self._file.write(data.data)
        else:
            self._text.append(data.data)
            self._length += len(data.data)
            self._check_length()
        if not data.more_data:
            self._end()

    def _check_length(self) -> None:
        if self._most_text is not None and self._length > self._most_text:
            name = self._name(cast("Field", self._part).name) or "A text"
            raise TooLarge(f"{name[:60]} has more than {readable_size(self._most_text)}.")

    def _end(self) -> None:
        part = self._part
        if isinstance(part, File):
            self._file.seek(0)
            name = self._name(part.name)
            file = FileStorage(self._file, self._name(part.filename), name, headers=part.headers)
            self.files.append((name, file))
        elif isinstance(part, Field):
            if part.name is None:
                self.has_nameless = True
                return
            options = parse_options_header(part.headers.get("content-type"))[1]
            value = b"".join(self._text)
            self.fields.append(RawField(_bytes(part.name), value, options.get("charset")))

    def _name(self, name: str | None) -> str | None:
        """A name as text, by the charset that the parts up to here declare."""
        if name is None or not charset.has_escaped_bytes(name):
            return name
        return charset.decode_name(_bytes(name), charset.form_encoding(self.fields, self._label))


class BoundedParser(FormDataParser):
    """Werkzeug's parser with bounds for url-encoded forms, and with declared charsets.

    Werkzeug reads a url-encoded form whole, with any number of fields: 50 MB of ``a&a&`` took 2 GB
    and 30 seconds, in which no other request was served. It replaces what is not UTF-8, and it
    returns an empty form for a body that it cannot read. Here both are errors: Malformed for the
    body, Invalid for a field, TooLarge for too much of it.
    """

    def _parse_multipart(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str],
    ) -> Any:
        boundary = options.get("boundary", "")
        if not boundary or not boundary.isascii():
            raise Malformed(NO_BOUNDARY)
        form = MultipartForm(options.get("charset"), self.max_form_memory_size, self.stream_factory)
        decoder = PartDecoder(boundary.encode(), self.max_form_memory_size)
        self._read(ChunkedStream(stream), decoder, form)
        fields: list[Any] = charset.decode_fields(form.fields, options.get("charset"))
        if form.has_nameless:
            fields.append((None, ""))
        return stream, self.cls(fields), self.cls(form.files)

    def _read(self, stream: ChunkedStream, decoder: PartDecoder, form: MultipartForm) -> None:
        parts, is_empty = 0, True
        try:
            while not isinstance(event := decoder.next_event(), Epilogue):
                if isinstance(event, NeedData):
                    data = stream.read()
                    is_empty = is_empty and not data
                    decoder.receive_data(data or None)
                elif isinstance(event, Field | File):
                    parts += 1
                    if self.max_form_parts is not None and parts > self.max_form_parts:
                        raise TooLarge(f"The form has more than {self.max_form_parts:,} parts.")
                    form.begin(event)
                elif isinstance(event, Data):
                    form.add(event)
        except ValueError as error:
            raise Malformed(_problem(decoder, is_empty)) from error
        except RequestEntityTooLarge as error:
            most = readable_size(self.max_form_memory_size or 0)
            raise TooLarge(f"A text, or the headers of a part, have more than {most}.") from error

    def _parse_urlencoded(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> Any:
        most = self.max_form_memory_size
        data = stream.read() if most is None else stream.read(most + 1)
        if most is not None and len(data) > most:
            raise TooLarge(f"A url-encoded form has at most {readable_size(most)} here.")
        if data.count(b"&") >= MOST_FIELDS:
            raise TooLarge(f"A url-encoded form has at most {MOST_FIELDS:,} fields.")
        fields = charset.decode_fields(charset.query_fields(data), options.get("charset"))
        return stream, self.cls(fields), self.cls()


def _problem(decoder: PartDecoder, is_empty: bool) -> str:
    if is_empty:
        return "The body is empty."
    if decoder.state is State.PREAMBLE:
        return "The body has no part: the boundary that Content-Type names is not in it."
    if not decoder.complete:
        return "A part of the body has no Content-Disposition header."
    return "The body is incomplete: the boundary that ends it is missing."


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
