"""Which values settings may have, each alone and in combination."""

from __future__ import annotations

import re
from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path

from models.errors import SettingError
from models.settings.allowed_hosts import Allowed
from models.settings.parsing import addresses, names
from models.settings.table import Table
from models.settings.table_notices import FullTable
from models.settings.urls import (
    Bucket,
    check_database,
    check_public,
    check_redis,
    is_bucket,
)


def check(settings: FullTable) -> None:
    """Raise SettingError naming the invalid setting."""
    for f in fields(settings):
        value = getattr(settings, f.name)
        if isinstance(value, int | float) and value < 0:
            raise SettingError(f"{f.name.upper()} is {value}; it must not be negative")
    if not settings.review_at <= settings.reject_at <= 1:
        raise SettingError("REVIEW_AT <= REJECT_AT <= 1 is required")
    if not 0 < settings.sync_max_depth <= settings.fast_track_depth:
        raise SettingError("0 < SYNC_MAX_DEPTH <= FAST_TRACK_DEPTH is required")
    if not 0 < settings.port < 65536:
        raise SettingError(f"PORT is {settings.port}; it must be 1 to 65535")
    for name in ("worker_batch", "nsfw_threads", "nsfw_batch", "detect_batch"):
        if getattr(settings, name) < 1:
            raise SettingError(f"{name.upper()} must be at least 1")
    if not 0 < settings.review_debt_share < 100:
        raise SettingError("REVIEW_DEBT_SHARE must be above 0 and below 100")
    if settings.adaptive_min_uploads_per_minute < 1:
        raise SettingError("ADAPTIVE_MIN_UPLOADS_PER_MINUTE must be at least 1")
    if not 2 <= settings.stats_raw_days <= 400:
        raise SettingError(f"STATS_RAW_DAYS is {settings.stats_raw_days}; it must be 2 to 400")
    if settings.review_key_delay_ms > 10_000:
        raise SettingError("REVIEW_KEY_DELAY_MS must be at most 10000")
    _check_tls(settings)
    if settings.decode_timeout < 0.1 or settings.decode_memory < 64:
        raise SettingError("DECODE_TIMEOUT >= 0.1 and DECODE_MEMORY >= 64 are required")
    if settings.workers > settings.max_workers:
        raise SettingError("WORKERS <= MAX_WORKERS is required")
    collector = settings.otel_exporter_otlp_endpoint
    if collector and not collector.startswith(("http://", "https://")):
        raise SettingError("OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or https://")
    if not all("://" in address for address in addresses(settings.alert_urls)):
        raise SettingError("ALERT_URLS must contain URLs such as mailto://…")
    Allowed.parse(settings.webhook_allowed_hosts)
    _check_web(settings)
    _check_detectors(settings)
    _check_servers(settings)


def _check_servers(settings: Table) -> None:
    if settings.database_pooled and not settings.database_url:
        raise SettingError("DATABASE_POOLED requires DATABASE_URL")
    if settings.database_owner_url and not settings.database_url:
        raise SettingError("DATABASE_OWNER_URL requires DATABASE_URL")
    for name in ("database_url", "database_owner_url", "database_replica_url"):
        if getattr(settings, name):
            check_database(name.upper(), getattr(settings, name))
    if settings.redis_url:
        check_redis(settings.redis_url)
    if is_bucket(settings.storage_url):
        Bucket.parse(settings.storage_url)
    elif settings.storage_url and not Path(settings.storage_url).is_absolute():
        raise SettingError("STORAGE_URL must be an absolute path or s3://BUCKET")


def _check_detectors(settings: Table) -> None:
    urls = names(settings.moderation_image_service_url)
    if settings.nsfw_engine == "remote" and not urls:
        raise SettingError("NSFW_ENGINE=remote requires MODERATION_IMAGE_SERVICE_URL")
    for url in urls:
        if not url.startswith(("http://", "https://")):
            shown = re.sub(r"[^/@]*@", "", url)  # without a login
            raise SettingError(
                f"MODERATION_IMAGE_SERVICE_URL contains {shown!r}; each must begin with http:// or"
                " https://"
            )


def _check_tls(settings: Table) -> None:
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise SettingError("TLS_CERTIFICATE and TLS_KEY must be set together")
    if settings.tls_certificate and settings.public_url.startswith("http://"):
        raise SettingError("PUBLIC_URL begins with http://, but TLS_CERTIFICATE turns HTTPS on")
    if settings.http_port and not settings.tls_certificate:
        raise SettingError("HTTP_PORT redirects to HTTPS: set TLS_CERTIFICATE and TLS_KEY too")
    if settings.http_port == settings.port or settings.http_port > 65535:
        raise SettingError(f"HTTP_PORT is {settings.http_port}; it must be a port other than PORT")


def _check_web(settings: Table) -> None:
    if settings.public_url:
        check_public(settings.public_url)
    _check_host(settings.host)
    if settings.secrets_path and not Path(settings.secrets_path).is_absolute():
        raise SettingError("SECRETS_PATH must be an absolute path")
    listen, servers = settings.web_listen, names(settings.web_servers)
    for name, values in (
        ("WEB_LISTEN", [listen] if listen else []),
        ("WEB_SERVERS", servers),
        ("METRICS_LISTEN", [settings.metrics_listen] if settings.metrics_listen else []),
    ):
        for value in values:
            if not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}", value):
                raise SettingError(f"{name} contains {value!r}, which is not HOST:PORT")


def _check_host(host: str) -> None:
    """HOST is an address or a name; the port is a setting of its own."""
    try:
        ip_address(host)
    except ValueError as error:
        if not re.fullmatch(r"[\w.-]+", host):
            text = f"HOST is {host!r}; it must be an address without a port, such as 0.0.0.0"
            raise SettingError(text) from error
