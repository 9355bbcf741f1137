"""A request that writes multipart files directly to storage."""

from __future__ import annotations

from pathlib import Path
from typing import IO, cast

from flask import Request
from uuid_utils.compat import uuid7

from models.errors import Invalid
from models.settings import get_settings
from tasks import storage
from tasks.storage import Upload
from tasks.storage.hard_linked_upload import HardLinkedUpload
from webapp.http import body_limits
from webapp.uploads.multipart import BoundedParser

CHUNK = 256 * 1024
BODY = "body"  # the file name of an upload that has none


class UploadRequest(Request):
    """Werkzeug's request with another destination for files.

    Werkzeug copies each file twice, through memory and a temporary file; here the parser writes,
    hashes and measures in one pass. ``uploads`` are the files of this request. The end of the
    request deletes them unless ``keep_uploads`` was called.
    """

    form_data_parser_class = BoundedParser
    uploads: list[Upload]

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        """The destination of a file in a form; raises Invalid if the view takes none."""
        if not body_limits.of_request().files:
            raise Invalid("This URL takes no files.", field="file")
        return cast("IO[bytes]", self._new_upload(filename))

    def _new_upload(self, filename: str | None) -> Upload:
        settings = get_settings()
        uploads = self._uploads()
        if len(uploads) == settings.max_files_per_request:
            raise Invalid(
                f"A submission can have at most {settings.max_files_per_request} images.",
                field="images",
            )
        store = storage.of(settings)
        upload = Upload(store, uuid7(), settings.max_file_size, given_name=(filename or "")[:200])
        uploads.append(upload)
        return upload

    def take(self, file: Path) -> Upload:
        """Use a file that already exists as the upload of this request; raises SluiceError."""
        settings = get_settings()
        upload = HardLinkedUpload(storage.of(settings), uuid7(), settings.max_file_size, BODY, file)
        self._uploads().append(upload)
        return upload

    def take_body(self) -> Upload:
        """Read the body as the upload of this request; raises TooLarge."""
        upload = self._new_upload(BODY)
        while data := self.stream.read(CHUNK):
            upload.write(data)
        return upload

    def _uploads(self) -> list[Upload]:
        uploads: list[Upload] = self.__dict__.setdefault("uploads", [])
        return uploads

    def discard_uploads(self) -> None:
        """Delete the files of this request that were not kept."""
        for upload in self.__dict__.get("uploads", []):
            upload.discard()

    def keep_uploads(self) -> None:
        """Keep the files of this request: they have rows now."""
        self.__dict__.get("uploads", []).clear()

    def close(self) -> None:
        """End the request and delete the files that were not kept."""
        self.discard_uploads()
        super().close()
