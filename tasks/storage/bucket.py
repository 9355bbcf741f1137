"""A bucket of an S3-compatible store, by the ``minio`` client, which only signs requests.

It uses urllib3, so gevent can switch while it waits, and takes 6 MB. After a call without a
response a circuit breaker probes the store: while it does not respond, calls fail at once.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError

from models.circuit_breaker import CircuitBreaker
from models.errors import SettingError
from models.settings import Settings, read_env_file
from models.settings.urls import Bucket
from tasks.storage.base import CHUNK, Storage, StorageDown, Stored
from tasks.storage.folder import older
from tasks.storage.names import ORIGINALS, THUMBNAILS, heat, original, thumbnail
from tasks.storage.upload import Upload

try:
    import minio
    from minio.credentials.providers import (
        AWSConfigProvider,
        ChainedProvider,
        IamAwsProvider,
        Provider,
        StaticProvider,
    )
    from minio.error import MinioException, S3Error
except ImportError as error:  # pragma: no cover
    raise SettingError(
        "STORAGE_URL names a bucket: run scripts/up, which installs the extra s3"
    ) from error

T = TypeVar("T")
PART = 64 * 1024 * 1024  # bytes; larger than any image, so each is one PUT
SPOOL = "spool"
CALL_ERRORS = (MinioException, HTTPError, OSError, ValueError)
# With one of these the client finds its own credentials: a profile, or the role of a pod or task.
ROLES = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
]


class RetryUnlessSilent(urllib3.Retry):
    """Retries after a lost connection, but not after a read timeout: the caller waits already."""

    def increment(self, *args: Any, **options: Any) -> Any:
        """The retries that are left; raises ReadTimeoutError."""
        if isinstance(options.get("error"), ReadTimeoutError):
            raise options["error"]
        return super().increment(*args, **options)


class S3(Storage):
    """An upload is spooled while it is hashed, then sent as one PUT, which makes it durable."""

    blocks = False

    def __init__(self, settings: Settings) -> None:
        self.root = settings.media
        self._bucket = bucket = Bucket.parse(settings.storage_url)
        self._spool = settings.media / SPOOL
        keys = _credentials(settings)
        self._client = _client(bucket, keys, connect=2, read=8, retries=1)
        self._probe = _client(bucket, keys, connect=1, read=1, retries=0)
        self._breaker = CircuitBreaker("The storage", self._wrong)

    def upload_path(self, key: str) -> Path:
        return self._spool / key.rpartition("/")[2]

    def keep(self, uploads: Sequence[Upload]) -> None:
        for upload in uploads:
            upload.begin()
            with upload.path.open("rb") as file:
                self._put(original(upload.key), file, upload.size, upload.media_type)
            upload.kept = True
            upload.close()
            upload.path.unlink(missing_ok=True)

    def discard(self, upload: Upload) -> None:
        upload.close()
        upload.path.unlink(missing_ok=True)
        if upload.kept:
            with contextlib.suppress(StorageDown):  # the sweep deletes files without a row
                self.remove_original(upload.key)

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Path]:
        self._spool.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._spool) as file:
            for data in self.open(name).chunks:
                file.write(data)
            file.flush()
            yield Path(file.name)

    def open(self, name: str) -> Stored:
        reply = self._call_for(self._client.get_object, name)
        return Stored(int(reply.headers["Content-Length"]), _chunks(reply))

    def write(self, name: str, data: bytes) -> None:
        self._put(name, io.BytesIO(data), len(data), "image/webp")

    def remove_original(self, key: str) -> None:
        self._call_for(self._client.remove_object, original(key))

    def remove(self, key: str, *, animated: bool = True) -> None:
        names = [original(key), thumbnail(key), heat(key)]
        if animated:
            names += [name for name, _ in self._list(f"{THUMBNAILS}/{key}.frame")]
        for name in names:
            self._call_for(self._client.remove_object, name)

    def originals_older_than(self, seconds: float) -> Iterator[str]:
        until = datetime.now(UTC) - timedelta(seconds=seconds)
        for name, changed in self._list(f"{ORIGINALS}/"):
            if changed < until:
                yield name.removeprefix(f"{ORIGINALS}/")

    def tidy(self, seconds: float) -> None:
        for path in older(self._spool, "*", seconds):
            path.unlink(missing_ok=True)

    def check(self) -> str:
        name = self._bucket.name
        try:
            exists = self._call(self._probe.bucket_exists, name)
        except StorageDown as error:
            if isinstance(error.__cause__, S3Error):
                raise SettingError(f"STORAGE_URL, bucket {name}: {error.detail}") from error
            raise
        if not exists:
            raise SettingError(f"STORAGE_URL: there is no bucket {name}; create it")
        return f"bucket {name}"

    def _wrong(self) -> str:
        """What is wrong with the store; "" if it responds, even by an error."""
        try:
            self._probe.bucket_exists(self._bucket.name)
        except S3Error:
            return ""
        except CALL_ERRORS:
            return "does not respond"
        return ""

    def _put(self, name: str, file: BinaryIO, size: int, kind: str) -> None:
        more = {"content_type": kind or "application/octet-stream", "part_size": PART}
        self._call_for(self._client.put_object, name, file, size, **more)

    def _list(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        skip = len(self._bucket.prefix)
        objects = self._client.list_objects(
            self._bucket.name, prefix=self._bucket.prefix + prefix, recursive=True
        )
        while (item := self._call(next, objects, None)) is not None:
            yield item.object_name[skip:], item.last_modified

    def _call_for(self, call: Callable[..., T], name: str, *args: Any, **more: Any) -> T:
        """Call for one of our names; raises FileNotFoundError, StorageDown."""
        return self._call(call, self._bucket.name, self._bucket.prefix + name, *args, **more)

    def _call(self, call: Callable[..., T], *args: Any, **more: Any) -> T:
        trouble = self._breaker.settled()
        if trouble:
            raise StorageDown(f"{self._breaker.name} {trouble}; nothing was stored.")
        try:
            return call(*args, **more)
        except S3Error as error:
            if error.code == "NoSuchKey":
                raise FileNotFoundError(str(args[1])) from error
            raise StorageDown(
                f"The storage refuses the request: {error.code}.", retry_after=30
            ) from error
        except CALL_ERRORS as error:
            self._breaker.verify()
            raise StorageDown("The storage does not respond; nothing was stored.") from error


def _client(
    bucket: Bucket, keys: Provider, *, connect: float, read: float, retries: int
) -> minio.Minio:
    http = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=connect, read=read),
        maxsize=32,
        retries=RetryUnlessSilent(retries, backoff_factor=0.2),
    )
    return minio.Minio(
        bucket.endpoint,
        credentials=keys,
        secure=bucket.secure,
        region=bucket.region or "us-east-1",
        http_client=http,
    )


def _chunks(reply: Any) -> Iterator[bytes]:
    try:
        yield from reply.stream(CHUNK)
    except HTTPError as error:
        raise StorageDown("The storage closed the connection in the middle of a file.") from error
    finally:
        reply.close()
        reply.release_conn()


def _credentials(settings: Settings) -> Provider:
    """Credentials of the environment or ``sluice.env``, else of a profile or the machine's role."""
    given: Mapping[str, str] = {
        **read_env_file(settings.sluice_home / "sluice.env"),
        **os.environ,
    }
    access, secret = given.get("AWS_ACCESS_KEY_ID"), given.get("AWS_SECRET_ACCESS_KEY")
    if access and secret:
        return StaticProvider(access, secret, given.get("AWS_SESSION_TOKEN"))
    if any(given.get(name) for name in ROLES) or "amazonaws.com" in settings.storage_url:
        providers = [AWSConfigProvider(), IamAwsProvider()]
        return ChainedProvider(providers)
    raise SettingError(
        "STORAGE_URL names a bucket: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,"
        " in the environment or in sluice.env"
    )
