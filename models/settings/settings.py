"""Every setting of Sluice, read once from the environment into one frozen object.

Each field of ``table.py`` and ``detectors.py`` is an environment variable of the same name in
capitals. The environment takes precedence over ``SLUICE_HOME/sluice.env``, and that over the
default. A secret may be in its own file: ``NAME_FILE`` is its path.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from models.errors import SettingError
from models.settings.detectors import check_detectors
from models.settings.sources import Sources
from models.settings.table_notices import FullTable
from models.settings.urls import is_bucket
from models.settings.validation import check

# The loopback address for each wildcard address
LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # nosec B104
# Reserved for documentation: the kernel looks up its route, and no packet is sent.
ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}


@dataclass(frozen=True)
class Settings(FullTable):
    """The operator's settings and the values derived from them."""

    def __post_init__(self) -> None:
        check(self)
        check_detectors(self)

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the environment and ``sluice.env``; raises SettingError for the first mistake."""
        settings, errors = cls.load_valid(environ)
        if errors:
            more = f"; {len(errors) - 1} more: see scripts/settings check" if errors[1:] else ""
            raise SettingError(errors[0] + more)
        return settings

    @classmethod
    def load_valid(cls, environ: Mapping[str, str] | None = None) -> tuple[Settings, list[str]]:
        """The settings as far as they are valid, and a sentence for each mistake.

        An invalid setting has its default. It is for scripts that must work with any file, such as
        ``scripts/down``.
        """
        sources = Sources.read(os.environ if environ is None else environ)
        errors = list(sources.errors)
        values = sources.values(errors)
        while True:
            try:
                return cls(**values), errors
            except SettingError as error:
                named = [name.lower() for name in sources.named(error.detail)]
                removed = [name for name in named if values.pop(name, None) is not None]
                if not removed:
                    raise
                errors.append(sources.located(error.detail))

    @property
    def database(self) -> str:
        """URL of PostgreSQL: the configured one, or the embedded server on its socket."""
        if self.database_url:
            return self.database_url
        return f"postgresql://sluice@/sluice?host={quote(str(self.run))}"

    @property
    def database_owner(self) -> str:
        """URL of the same PostgreSQL for the role that owns the tables."""
        if self.database_url:
            return self.database_owner_url or self.database_url
        place = f"host={quote(str(self.run))}&passfile={quote(str(self.database_passwords))}"
        return f"postgresql://sluice_owner@/sluice?{place}"

    @property
    def database_passwords(self) -> Path:
        """The file with the passwords of the embedded server's owner and superuser (libpq)."""
        return self.sluice_home / "secrets" / "pgpass"

    @property
    def redis(self) -> str:
        """URL of Redis: the configured one, or the embedded Valkey on its socket."""
        return self.redis_url or f"unix://{quote(str(self.run / 'redis.sock'))}"

    @property
    def run(self) -> Path:
        """Folder of the sockets: SLUICE_HOME/run, or one under /tmp if that path is too long.

        The kernel allows 107 bytes for a socket's path; the longest file name needs 32.
        """
        folder = self.sluice_home / "run"
        if len(os.fsencode(folder)) <= 75:
            return folder
        digest = hashlib.sha256(os.fsencode(folder)).hexdigest()
        # Created with mode 0700 and its owner checked: a folder of another user is refused.
        return Path("/tmp") / f"sluice-{digest[:12]}"  # nosec B108

    @property
    def media(self) -> Path:
        """Folder of originals and thumbnails; with a bucket, of files not uploaded to it yet."""
        if self.storage_url and not is_bucket(self.storage_url):
            return Path(self.storage_url)
        return self.sluice_home / "media"

    @property
    def url(self) -> str:
        """Base URL of this server as browsers see it, without a trailing slash.

        Without PUBLIC_URL it has HOST, or this machine's own address if HOST is all addresses.
        """
        if self.public_url:
            return self.public_url.rstrip("/")
        host = own_address(self.host) if self.host in LOOPBACK else self.host
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def local_host(self) -> str:
        """The address at which this machine itself reaches nginx."""
        return LOOPBACK.get(self.host, self.host)

    @property
    def scheme(self) -> str:
        """The scheme that nginx serves on PORT: ``https`` if a certificate is configured."""
        return "https" if self.tls_certificate else "http"

    @property
    def max_body_size(self) -> int:
        """Bytes of the largest upload: its images, and 1 MB for its texts and the framing."""
        return self.max_files_per_request * self.max_file_size + 1024 * 1024

    @property
    def detectors(self) -> Path:
        """Folder of the detectors' model files."""
        return (
            Path(self.detector_models) if self.detector_models else self.sluice_home / "detectors"
        )

    @property
    def secrets(self) -> Path:
        """Folder of the secrets."""
        return Path(self.secrets_path) if self.secrets_path else self.sluice_home / "secrets"

    def web_address(self, number: int) -> str:
        """A web instance's listen address, in the syntax that gunicorn and nginx share."""
        if not self.web_listen:
            return f"unix:{self.run / f'web_{number:02}.sock'}"
        host, _, port = self.web_listen.rpartition(":")
        return f"{host}:{int(port) + number}"

    def secret(self, name: str) -> str:
        """A secret by its name; raises SettingError if it is missing."""
        path = self.secrets / name
        try:
            value = path.read_text("ascii").strip()
        except OSError as error:
            raise SettingError(f"{path}: {error.strerror}; scripts/up generates it") from error
        if len(value) < 32:
            raise SettingError(f"{path} has fewer than 32 characters: remove it, run scripts/up")
        return value


@cache
def own_address(host: str) -> str:
    """This machine's address on its default route, for a wildcard address; else loopback."""
    families = (socket.AF_INET6, socket.AF_INET) if ":" in host else (socket.AF_INET,)
    for family in families:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((ELSEWHERE[family], 9))
            return str(probe.getsockname()[0])
    return LOOPBACK[host]
