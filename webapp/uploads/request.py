"""The request whose multipart files are written straight to their place in storage."""

from __future__ import annotations

from pathlib import Path
from typing import IO, cast

from flask import Request
from uuid_utils.compat import uuid7

from models.errors import Invalid
from models.settings import get_settings
from tasks import storage
from tasks.storage import Upload
from tasks.storage.hard_linked_upload import HandedOver
from webapp.uploads.multipart import PortionedParser

CHUNK = 256 * 1024
BODY = "body"  # what an upload is called that has no name


class UploadRequest(Request):
    """Werkzeug's request with another target for files.

    Its default copies each file twice, through memory and a temporary file; here the parser
    writes, hashes and measures in one go. ``uploads`` are those of this request; whoever does not
    keep them discards them, which the end of the request does by itself.
    """

    form_data_parser_class = PortionedParser
    uploads: list[Upload]

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        settings = get_settings()
        uploads = self._uploads()
        if len(uploads) == settings.max_files_per_request:
            raise Invalid(
                f"A submission has at most {settings.max_files_per_request} images.",
                field="images",
            )
        store = storage.of(settings)
        upload = Upload(store, uuid7(), settings.max_file_size, given_name=(filename or "")[:200])
        uploads.append(upload)
        return cast("IO[bytes]", upload)

    def take(self, file: Path) -> Upload:
        """Make a file that is there already the upload of this request; raises SluiceError."""
        settings = get_settings()
        upload = HandedOver(storage.of(settings), uuid7(), settings.max_file_size, BODY, file)
        self._uploads().append(upload)
        return upload

    def take_body(self) -> Upload:
        """Make the body, as it comes, the upload of this request; raises TooLarge."""
        upload = cast("Upload", self._get_file_stream(None, None, BODY))
        while data := self.stream.read(CHUNK):
            upload.write(data)
        return upload

    def _uploads(self) -> list[Upload]:
        found: list[Upload] = self.__dict__.setdefault("uploads", [])
        return found

    def discard_uploads(self) -> None:
        """Remove the files of this request that were not kept."""
        for upload in self.__dict__.get("uploads", []):
            upload.discard()

    def keep_uploads(self) -> None:
        """The files of this request have rows now."""
        self.__dict__.get("uploads", []).clear()

    def close(self) -> None:
        """End the request; what was not kept goes."""
        self.discard_uploads()
        super().close()
