"""Keeping the files of uploads: those of all requests that wait, in one thread."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app

from tasks import storage
from tasks.storage import Storage, Upload
from webapp.offload import offload
from webapp.together import Together


@dataclass(eq=False, slots=True)
class _Files:
    """The files of one request, where they go, and why they could not be kept."""

    store: Storage
    uploads: tuple[Upload, ...]
    error: OSError | None = None


def keep(uploads: tuple[Upload, ...]) -> None:
    """Return once the files would outlive a power cut; raises OSError, StorageDown."""
    store = storage.of(current_app.config["SETTINGS"])
    if not store.blocks:
        store.keep(uploads)
        return
    files = _Files(store, uploads)
    _keeping.do(files)
    if files.error is not None:
        raise files.error


def _keep(requests: list[_Files]) -> None:
    """All in one go; where that fails, one by one, so that each request bears its own error."""
    try:
        requests[0].store.keep([upload for files in requests for upload in files.uploads])
    except OSError:
        for files in requests:
            _alone(files)


def _alone(files: _Files) -> None:
    try:
        files.store.keep(files.uploads)
    except OSError as error:
        files.error = error


_keeping: Together[_Files] = Together(lambda requests: offload(_keep, requests))
