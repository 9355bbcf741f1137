"""The table of settings: each with its default, its unit, and the help that the docs print.

``table_notices.py`` continues it: alerts, webhooks and the console.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("onnx", "opennsfw2", "remote")


def _setting(default: Any, about: str, *, unit: str = "", choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": about, "unit": unit, "choices": choices})


@dataclass(frozen=True)
class Table:
    """What an operator can set."""

    sluice_home: Path = _setting(ROOT / "var", "folder of all files that the server writes")
    secrets_path: str = _setting(
        "", "folder of the secrets; several hosts share it; default SLUICE_HOME/secrets"
    )
    host: str = _setting("127.0.0.1", "address that nginx listens on; 0.0.0.0 for all addresses")
    port: int = _setting(8080, "port that nginx listens on; HTTPS if TLS is on")
    http_port: int = _setting(0, "port that redirects HTTP to HTTPS and answers certbot; 0 is off")
    tls_certificate: str = _setting("", "PEM file of the certificate and its chain; turns TLS on")
    tls_key: str = _setting("", "PEM file of the certificate's private key")
    hsts_seconds: int = _setting(
        31_536_000, "max-age of the HSTS header, sent if TLS is on; 0 is off", unit="s"
    )
    public_url: str = _setting(
        "", "URL of this server as browsers see it; default http(s)://HOST:PORT"
    )
    metrics_listen: str = _setting(
        "",
        "ADDRESS:PORT where a worker or the standby serves its own metrics, for processes"
        " that share no metrics folder; empty: the web processes serve all metrics",
    )
    log_format: str = _setting("json", "format of log lines", choices=("json", "text"))
    log_max_size: int = _setting(
        10 * 1024 * 1024, "size at which a log file is rotated; 0 is never", unit="bytes"
    )
    log_files: int = _setting(3, "rotated files that are kept of each log")
    metrics_allowed: str = _setting(
        "", "addresses or networks that may read /metrics besides localhost, comma-separated"
    )
    trusted_proxies: str = _setting(
        "",
        "addresses or networks of proxies in front of nginx whose X-Forwarded-For is trusted,"
        " comma-separated",
    )

    # Modes
    sync_max_depth: int = _setting(100, "queue depth from which the mode is async", unit="jobs")
    fast_track_depth: int = _setting(
        1000, "queue depth from which the mode is fast_track", unit="jobs"
    )
    sync_timeout: float = _setting(
        2.0, "longest wait for a verdict in mode sync; then the reply is 202", unit="s"
    )
    moderation_content_async: bool = _setting(False, "always handle submissions with text as async")
    moderation_image_async: bool = _setting(False, "always handle submissions with images as async")

    # Limits
    max_uploads_per_minute: int = _setting(10, "uploads per minute, per author; 0 is off")
    max_uploads_per_hour: int = _setting(50, "uploads per hour, per author; 0 is off")
    max_uploads_per_minute_per_ip: int = _setting(50, "uploads per minute, per user_ip; 0 is off")
    max_uploads_per_minute_per_client: int = _setting(0, "uploads per minute, per client; 0 is off")
    global_rate_limit: int = _setting(0, "uploads per minute, all clients combined; 0 is off")
    max_uploads_per_day_per_client: int = _setting(0, "uploads per day, per client; 0 is off")
    max_bytes_per_day_per_client: int = _setting(
        0, "bytes of images per day, per client; 0 is off", unit="bytes"
    )
    min_seconds_between_uploads: float = _setting(
        0.0, "shortest time between two uploads of one author; 0 is off", unit="s"
    )
    enable_adaptive_rate_limiting: bool = _setting(
        True,
        "adaptive limit: lower the limits of the heaviest clients while the server is overloaded",
    )
    adaptive_max_wait: float = _setting(
        60.0,
        "adaptive limit: lower limits when the estimated wait exceeds this in mode async and"
        " fast_track cannot begin (FAST_TRACK_DEPTH above MAX_QUEUE_SIZE); 0 is off",
        unit="s",
    )
    adaptive_max_debt: float = _setting(
        300.0,
        "adaptive limit: lower limits when working off the review debt would take longer than"
        " this in mode fast_track; 0 is off",
        unit="s",
    )
    adaptive_max_error_rate: float = _setting(
        5.0,
        "adaptive limit: lower limits when more than this share of responses or jobs fails; 0"
        " is off",
        unit="%",
    )
    adaptive_min_uploads_per_minute: int = _setting(
        60, "adaptive limit: uploads per minute that every client keeps"
    )
    nginx_rate: int = _setting(2000, "requests per second that nginx accepts, per address")
    nginx_connections: int = _setting(2000, "connections that nginx accepts, per address")
    nginx_uploads: int = _setting(
        1000, "uploads that nginx accepts at a time, per address; each may hold a body on the disk"
    )

    # Work
    lease_seconds: int = _setting(
        30, "how long a worker's lease on a submission lasts; renewed while it works", unit="s"
    )
    max_attempts: int = _setting(3, "attempts at a submission before it is quarantined")
    processing_timeout: int = _setting(300, "longest processing of one submission", unit="s")
    worker_batch: int = _setting(
        16, "submissions that a worker claims at once while many wait; 1 is one by one"
    )
    result_ttl: int = _setting(
        3600, "how long the score of a picture is cached for identical bytes", unit="s"
    )
    max_queue_size: int = _setting(
        10_000, "most jobs in Redis; further jobs wait in PostgreSQL", unit="jobs"
    )
    review_debt_share: float = _setting(
        20.0,
        "share of the workers' time that review debt gets while uploads wait",
        unit="%",
    )
    enable_queue_priority: bool = _setting(True, "serve priority submissions first")
    enable_backpressure: bool = _setting(True, "refuse uploads when memory or disk runs short")
    review_lease_seconds: int = _setting(
        120, "how long a moderator's lease on an open flag lasts", unit="s"
    )

    # Uploads
    max_file_size: int = _setting(10 * 1024 * 1024, "largest image file", unit="bytes")
    max_files_per_request: int = _setting(5, "most images in one submission")
    max_pixels: int = _setting(40_000_000, "largest image", unit="pixels")
    max_frames: int = _setting(200, "most frames of an animation that are scored")
    decode_timeout: float = _setting(
        3.0, "longest decoding of one image in CPU time; in wall-clock time twice that", unit="s"
    )
    decode_memory: int = _setting(768, "most memory for decoding one image", unit="MB")
    require_confinement: bool = _setting(
        False, "decode nothing if the kernel cannot confine the decoder (Landlock and seccomp)"
    )
    memory_threshold: int = _setting(
        80, "pause uploads when more than this share of memory is in use", unit="%"
    )
    disk_threshold: int = _setting(
        95, "pause uploads when more than this share of the disk is in use", unit="%"
    )

    # Checks
    nsfw_engine: str = _setting("onnx", "engine that runs the network", choices=ENGINES)
    nsfw_providers: str = _setting(
        "CPUExecutionProvider", "ONNX Runtime execution providers, comma-separated"
    )
    nsfw_threads: int = _setting(1, "threads of the network, per worker")
    nsfw_batch: int = _setting(2, "pictures per run of the network; raise it for a GPU")
    detect_batch: int = _setting(8, "detect requests that a worker handles together")
    nsfw_model: str = _setting("", "path of another weights file: .onnx, or .h5 for opennsfw2")
    moderation_image_service_url: str = _setting(
        "", "URLs of the detectors for NSFW_ENGINE=remote, comma-separated"
    )
    moderation_image_service_key: str = _setting("", "API key for these detectors")
    reject_at: float = _setting(0.8, "score from which the machine rejects")
    review_at: float = _setting(0.2, "score from which a person reviews")
    sample_rate: float = _setting(0.0, "share of approvals that a person also reviews, 0 to 1")
    dedupe_local_ttl: int = _setting(
        30, "how long a worker caches scores in its own memory", unit="s"
    )
    dedupe_shared_ttl: int = _setting(
        300, "how long a flagged picture also flags pictures that look like it", unit="s"
    )
    dedupe_max_distance: int = _setting(
        8,
        "largest PDQ distance at which a flagged picture also flags another; further away the"
        " classifier looks",
        unit="bits",
    )
    dedupe_across_clients: bool = _setting(
        False, "a flagged picture also flags what looks like it from other clients"
    )
    pdq_max_distance: int = _setting(
        31, "largest PDQ distance at which a picture matches a known image", unit="bits"
    )

    # Servers
    database_url: str = _setting("", "PostgreSQL; empty starts the embedded server")
    database_owner_url: str = _setting(
        "",
        "the same database as the role that owns the tables, for migrations; default DATABASE_URL",
    )
    database_replica_url: str = _setting(
        "", "read replica of PostgreSQL, for the console's lists, search and charts; empty: none"
    )
    database_pooled: bool = _setting(
        False, "DATABASE_URL is a PgBouncer in transaction mode; requires DATABASE_OWNER_URL"
    )
    redis_url: str = _setting(
        "", "Redis or Valkey, or its sentinels; rediss for TLS; empty starts the embedded server"
    )
    storage_url: str = _setting(
        "", "folder of the media, or s3://BUCKET/PREFIX?endpoint=URL; default SLUICE_HOME/media"
    )
    otel_exporter_otlp_endpoint: str = _setting(
        "", "OpenTelemetry collector for traces (OTLP over HTTP); empty: none"
    )
    db_pool_max: int = _setting(20, "most database connections, per process")
    db_connection_timeout: float = _setting(
        30.0, "longest wait for a database connection", unit="s"
    )
    db_query_timeout: float = _setting(60.0, "longest query", unit="s")
    redis_pool_max: int = _setting(100, "most Redis connections, per process")
    redis_command_timeout: float = _setting(10.0, "longest Redis command", unit="s")

    # Processes
    web_instances: int = _setting(2, "gunicorn instances behind nginx")
    web_listen: str = _setting(
        "",
        "ADDRESS:PORT of the first web instance; each next instance listens one port higher;"
        " empty: Unix sockets",
    )
    web_servers: str = _setting(
        "",
        "HOST:PORT of web instances for an nginx on another host, comma-separated; names are"
        " resolved again every five seconds",
    )
    web_resolver: str = _setting(
        "",
        "DNS servers for the names in WEB_SERVERS, comma-separated; default from /etc/resolv.conf",
    )
    workers: int = _setting(2, "workers for both queues at start")
    priority_workers: int = _setting(1, "workers for the priority queue only, at start")
    min_workers: int = _setting(1, "fewest workers")
    max_workers: int = _setting(16, "most workers")
    autoscale: bool = _setting(False, "adjust the number of workers to the load")
    scale_drain: int = _setting(
        60, "autoscaling: time in which a backlog should be worked off", unit="s"
    )
    scale_up_cooldown: int = _setting(
        60, "autoscaling: shortest time between two steps up", unit="s"
    )
    scale_down_cooldown: int = _setting(
        300, "autoscaling: how long the load must stay low before workers are stopped", unit="s"
    )
    max_priority_workers: int = _setting(8, "most workers for the priority queue only")
