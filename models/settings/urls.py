"""Parses the URLs of servers: PostgreSQL, Redis or its sentinels, an S3-compatible store.

No message contains a URL, because it may hold a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from models.errors import SettingError

POSTGRES = ("postgresql", "postgres")
REDIS = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
SENTINEL_PORT = 26379
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX = re.compile(r"(?:[\w.=-]+/)*[\w.=-]+|")


@dataclass(frozen=True, slots=True)
class Bucket:
    """``s3://NAME/PREFIX?endpoint=URL&region=NAME``; the access keys are not part of it."""

    name: str
    prefix: str  # empty, or with a trailing slash
    endpoint: str  # host and port
    secure: bool
    region: str

    @classmethod
    def parse(cls, url: str) -> Bucket:
        """Raises SettingError."""
        parts = _split("STORAGE_URL", url)
        options = _query("STORAGE_URL", parts.query, {"endpoint", "region"})
        region = options.get("region", "")
        prefix = parts.path.strip("/")
        if parts.username or parts.password:
            raise SettingError("STORAGE_URL contains a key: set AWS_ACCESS_KEY_ID and its secret")
        if not NAME.fullmatch(parts.netloc) or not PREFIX.fullmatch(prefix):
            raise SettingError("STORAGE_URL is not s3://BUCKET/PREFIX?endpoint=https://HOST")
        amazon = f"https://s3.{region + '.' if region else ''}amazonaws.com"
        endpoint = _split("STORAGE_URL", options.get("endpoint", amazon))
        host, secure = endpoint.netloc, endpoint.scheme == "https"
        if not (secure or endpoint.scheme == "http") or not endpoint.hostname:
            raise SettingError("STORAGE_URL's endpoint is not http(s)://HOST:PORT")
        if endpoint.path.strip("/"):
            raise SettingError("STORAGE_URL's endpoint is not http(s)://HOST:PORT")
        folder = f"{prefix}/" if prefix else ""
        return cls(parts.netloc, folder, host, secure, region)


@dataclass(frozen=True, slots=True)
class Sentinels:
    """``redis+sentinel://LOGIN@HOST:PORT,HOST:PORT/MASTER``, ``rediss+sentinel`` with TLS.

    ``LOGIN`` is ``USER:PASSWORD`` of the Redis servers. The query may contain ``db``,
    ``ssl_ca_certs``, and ``sentinel_username`` and ``sentinel_password`` of the sentinels.
    """

    hosts: tuple[tuple[str, int], ...]
    master: str
    username: str | None
    password: str | None
    secure: bool
    query: dict[str, str]

    @classmethod
    def parse(cls, url: str) -> Sentinels:
        """Raises SettingError."""
        allowed = {"db", "ssl_ca_certs", "sentinel_username", "sentinel_password"}
        scheme, _, rest = url.partition("://")
        rest, _, options = rest.partition("?")
        query = _query("REDIS_URL", options, allowed)
        login, _, servers = rest.rpartition("@")
        name, _, password = login.partition(":")
        hosts, _, master = servers.rstrip("/").partition("/")
        if not master or not hosts:
            raise SettingError("REDIS_URL is not redis+sentinel://HOST:PORT,HOST:PORT/MASTER")
        if not query.get("db", "0").isdigit():
            raise SettingError("REDIS_URL's db is not a number")
        return cls(
            tuple(_address(host) for host in hosts.split(",")),
            master,
            unquote(name) or None,
            unquote(password) or None,
            scheme == "rediss+sentinel",
            query,
        )


def is_bucket(storage_url: str) -> bool:
    """Whether STORAGE_URL is a bucket and not a folder."""
    return storage_url.startswith("s3://")


def is_sentinel(redis_url: str) -> bool:
    """Whether REDIS_URL names sentinels."""
    return "+sentinel://" in redis_url


def check_database(setting: str, url: str) -> None:
    """Raises SettingError if this is not the URL of a PostgreSQL server."""
    _check_scheme(setting, url, POSTGRES)
    _check_server(setting, url)


def check_redis(url: str) -> None:
    """Raises SettingError if this is not a valid REDIS_URL."""
    _check_scheme("REDIS_URL", url, REDIS)
    if is_sentinel(url):
        Sentinels.parse(url)
        return
    parts = _check_server("REDIS_URL", url)
    number = parts.path.strip("/")
    if parts.scheme != "unix" and number and not number.isdigit():
        raise SettingError("REDIS_URL's path must be the number of a database, such as /0")


def check_public(url: str) -> None:
    """Raises SettingError if this is not a valid PUBLIC_URL."""
    if not url.startswith(("http://", "https://")) or not _split("PUBLIC_URL", url).hostname:
        raise SettingError("PUBLIC_URL must be a URL such as https://moderation.example.org")


def server_of(url: str) -> str:
    """``HOST:PORT`` of a server's URL, or its socket; for messages, so without the login."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return unquote(parts.path)
    if "+sentinel" in parts.scheme:
        return parts.netloc.rpartition("@")[2]
    host = parts.netloc.rpartition("@")[2]
    return host or dict(parse_qsl(parts.query)).get("host", "") or "its socket"


def _check_scheme(setting: str, url: str, schemes: tuple[str, ...]) -> None:
    scheme, sign, _ = url.partition("://")
    if not sign or scheme not in schemes:
        allowed = ", ".join(f"{each}://" for each in schemes)
        raise SettingError(f"{setting} must begin with one of {allowed}")


def _check_server(setting: str, url: str) -> SplitResult:
    """The parts of a server's URL; raises SettingError for what its library would misread."""
    parts = _split(setting, url)
    if "#" in url:
        raise SettingError(f"{setting} contains #; in a password write %23")
    if re.search(r"%(?![0-9A-Fa-f]{2})", url):
        raise SettingError(f"{setting} has a % without two hexadecimal digits; for % write %25")
    try:
        parts.port  # noqa: B018  (it raises)
    except ValueError as error:
        raise SettingError(
            f"{setting} has an invalid port; in a password write %40 for @, %2F for / and %3A for :"
        ) from error
    return parts


def _split(setting: str, url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise SettingError(f"{setting} is not a URL") from error


def _query(setting: str, query: str, allowed: set[str]) -> dict[str, str]:
    given = dict(parse_qsl(query))
    for name in given:
        if name not in allowed:
            choices = ", ".join(sorted(allowed))
            raise SettingError(f"{setting} has the option {name!r}; it may have {choices}")
    return given


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(SENTINEL_PORT)
    if not host or not port.isdigit():
        raise SettingError("REDIS_URL's sentinels must be HOST:PORT, comma-separated")
    return host.strip("[]"), int(port)
