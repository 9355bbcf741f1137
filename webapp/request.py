"""The request whose multipart files are written straight to their place in storage."""

from __future__ import annotations

from typing import IO, cast

from flask import Request, current_app
from uuid_utils.compat import uuid7

from models.errors import Invalid
from tasks import storage
from tasks.storage import Upload


class UploadRequest(Request):
    """Werkzeug's request with another target for files.

    Its default copies each file twice, through memory and a temporary file; here the parser
    writes, hashes and measures in one go. ``uploads`` are those of this request; whoever does not
    keep them discards them, which the end of the request does by itself.
    """

    uploads: list[Upload]

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        settings = current_app.config["SETTINGS"]
        uploads = self.__dict__.setdefault("uploads", [])
        if len(uploads) == settings.max_files_per_request:
            raise Invalid(
                f"A submission has at most {settings.max_files_per_request} images.",
                field="images",
            )
        store = storage.of(settings)
        upload = Upload(store, uuid7(), settings.max_file_size, given_name=(filename or "")[:200])
        uploads.append(upload)
        return cast("IO[bytes]", upload)

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
