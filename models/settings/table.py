"""The table of settings: each with its default, its unit, and the help that the docs print."""

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

    sluice_home: Path = _setting(ROOT / "var", "folder of everything that the server writes")
    secrets_path: str = _setting(
        "", "folder of the secrets that several hosts share; default SLUICE_HOME/secrets"
    )
    host: str = _setting("127.0.0.1", "address that nginx listens on; 0.0.0.0 for all")
    port: int = _setting(8080, "port that nginx listens on, for HTTPS where TLS is on")
    http_port: int = _setting(0, "port that leads plain HTTP to HTTPS and answers certbot; 0: none")
    tls_certificate: str = _setting("", "PEM file of the certificate and its chain; turns TLS on")
    tls_key: str = _setting("", "PEM file of the certificate's private key")
    hsts_seconds: int = _setting(
        31_536_000, "how long browsers insist on HTTPS, where TLS is on; 0: not at all", unit="s"
    )
    public_url: str = _setting(
        "", "address of this server as browsers see it; default http(s)://HOST:PORT"
    )
    metrics_listen: str = _setting(
        "",
        "ADDRESS:PORT at which a worker or the standby tells its own measures, where it is alone"
        " on its host or in its container; empty: the web tells of all",
    )
    log_format: str = _setting("json", "how log lines are written", choices=("json", "text"))
    metrics_allowed: str = _setting(
        "", "addresses or networks, by comma, that may read /metrics besides this machine"
    )
    trusted_proxies: str = _setting(
        "", "addresses or networks of a proxy before nginx, by comma; their X-Forwarded-For holds"
    )

    # Modes
    sync_max_depth: int = _setting(100, "queue depth from which replies are async", unit="jobs")
    fast_track_depth: int = _setting(1000, "queue depth from which fast rules answer", unit="jobs")
    sync_timeout: float = _setting(
        2.0, "longest wait for a worker's verdict before the reply is 202", unit="s"
    )
    moderation_content_async: bool = _setting(False, "submissions with text are always async")
    moderation_image_async: bool = _setting(False, "submissions with images are always async")

    # Limits
    max_uploads_per_minute: int = _setting(10, "uploads an author may make in a minute; 0 is off")
    max_uploads_per_hour: int = _setting(50, "uploads an author may make in an hour; 0 is off")
    max_uploads_per_minute_per_ip: int = _setting(
        50, "uploads one user_ip may make in a minute; 0 is off"
    )
    max_uploads_per_minute_per_client: int = _setting(
        0, "uploads a client may make in a minute; 0 is off"
    )
    global_rate_limit: int = _setting(0, "uploads all may make in a minute together; 0 is off")
    max_uploads_per_day_per_client: int = _setting(
        0, "uploads a client may make in a day; 0 is off"
    )
    max_bytes_per_day_per_client: int = _setting(
        0, "images a client may send in a day, together; 0 is off", unit="bytes"
    )
    min_seconds_between_uploads: float = _setting(
        0.0, "pause that an author must leave between uploads; 0 is off", unit="s"
    )
    enable_adaptive_rate_limiting: bool = _setting(
        True, "lower the limits of the heaviest clients while the server is overloaded"
    )
    adaptive_max_wait: float = _setting(
        60.0, "estimated wait from which limits are lowered; 0 is off", unit="s"
    )
    adaptive_max_debt: float = _setting(
        600.0, "time to work the review debt off from which limits are lowered; 0 is off", unit="s"
    )
    adaptive_max_error_rate: float = _setting(
        5.0, "answers or jobs that fail from which limits are lowered; 0 is off", unit="%"
    )
    adaptive_min_uploads_per_minute: int = _setting(
        60, "uploads a minute that a lowered client may always make"
    )
    nginx_rate: int = _setting(2000, "requests a second that nginx lets one address make")
    nginx_connections: int = _setting(2000, "connections that nginx lets one address hold")

    # Work
    lease_seconds: int = _setting(30, "claim of a worker, renewed while at work", unit="s")
    max_attempts: int = _setting(3, "attempts before a submission is quarantined")
    processing_timeout: int = _setting(300, "longest work on one submission", unit="s")
    worker_batch: int = _setting(
        16, "submissions that a worker takes at once while many wait; 1 is one by one"
    )
    result_ttl: int = _setting(3600, "how long a verdict is reused for the same bytes", unit="s")
    max_queue_size: int = _setting(10_000, "jobs in Redis; more wait in PostgreSQL", unit="jobs")
    enable_queue_priority: bool = _setting(True, "priority submissions are served first")
    enable_backpressure: bool = _setting(True, "refuse uploads when memory or disk run short")
    review_lease_seconds: int = _setting(120, "a moderator's claim on an open item", unit="s")

    # Uploads
    max_file_size: int = _setting(10 * 1024 * 1024, "largest image", unit="bytes")
    max_files_per_request: int = _setting(5, "images in one submission")
    max_pixels: int = _setting(40_000_000, "largest image", unit="pixels")
    max_frames: int = _setting(200, "frames of an animation that are looked at")
    decode_timeout: float = _setting(
        3.0, "longest decoding of an image, of one processor; twice that by the clock", unit="s"
    )
    decode_memory: int = _setting(768, "most memory that decoding an image may take", unit="MB")
    memory_threshold: int = _setting(80, "memory in use above which uploads pause", unit="%")
    disk_threshold: int = _setting(95, "disk in use above which uploads pause", unit="%")

    # Checks
    nsfw_engine: str = _setting("onnx", "engine that runs the network", choices=ENGINES)
    nsfw_providers: str = _setting(
        "CPUExecutionProvider", "ONNX Runtime execution providers, comma-separated"
    )
    nsfw_threads: int = _setting(1, "threads of a worker that the network may use")
    nsfw_batch: int = _setting(2, "pictures that go through the network at once; more for a GPU")
    detect_batch: int = _setting(8, "requests for detection that a worker answers together")
    nsfw_model: str = _setting("", "path of another .onnx or, for opennsfw2, .h5 weights file")
    moderation_image_service_url: str = _setting("", "detectors of the remote engine, by comma")
    moderation_image_service_key: str = _setting("", "API key for those detectors")
    reject_at: float = _setting(0.8, "score from which the machine rejects")
    review_at: float = _setting(0.2, "score from which a person looks")
    sample_rate: float = _setting(0.0, "share of approvals that a person looks at too")
    dedupe_local_ttl: int = _setting(30, "memory of look-alikes in a process", unit="s")
    dedupe_shared_ttl: int = _setting(300, "memory of look-alikes for all", unit="s")
    pdq_max_distance: int = _setting(31, "largest PDQ distance of look-alikes", unit="bits")

    # Servers
    database_url: str = _setting("", "PostgreSQL; empty starts the embedded one")
    database_owner_url: str = _setting(
        "", "the same as the role that owns the tables, for migrations; empty: DATABASE_URL's"
    )
    database_replica_url: str = _setting(
        "", "PostgreSQL's read replica, for lists, search and charts of the console; empty: none"
    )
    database_pooled: bool = _setting(
        False, "DATABASE_URL leads to PgBouncer in transaction mode; needs DATABASE_OWNER_URL"
    )
    redis_url: str = _setting(
        "", "Redis or Valkey, or its sentinels; rediss for TLS; empty starts the embedded one"
    )
    storage_url: str = _setting(
        "", "folder of the media, or s3://BUCKET/PREFIX?endpoint=URL; default SLUICE_HOME/media"
    )
    otel_exporter_otlp_endpoint: str = _setting(
        "", "OpenTelemetry collector (OTLP over HTTP) that traces go to; empty: none"
    )
    db_pool_max: int = _setting(20, "database connections a process")
    db_connection_timeout: float = _setting(30.0, "wait for a database connection", unit="s")
    db_query_timeout: float = _setting(60.0, "longest query", unit="s")
    redis_pool_max: int = _setting(100, "Redis connections a process")
    redis_command_timeout: float = _setting(10.0, "longest Redis command", unit="s")

    # Processes
    web_instances: int = _setting(2, "gunicorn instances behind nginx")
    web_listen: str = _setting(
        "", "ADDRESS:PORT of the first web instance, the next one's is a port higher; none: sockets"
    )
    web_servers: str = _setting(
        "",
        "HOST:PORT of the web instances for an nginx of another host, by comma; names are asked"
        " for again",
    )
    web_resolver: str = _setting(
        "", "name servers for the names in WEB_SERVERS, by comma; default /etc/resolv.conf's"
    )
    workers: int = _setting(2, "workers of both queues at start")
    priority_workers: int = _setting(1, "workers of the priority queue alone at start")
    min_workers: int = _setting(1, "fewest workers")
    max_workers: int = _setting(16, "most workers")
    autoscale: bool = _setting(False, "the number of workers follows the load")
    scale_drain: int = _setting(60, "within this a backlog shall be gone", unit="s")
    scale_up_cooldown: int = _setting(60, "pause between two steps up", unit="s")
    scale_down_cooldown: int = _setting(
        300, "how long the load must have been low before workers are stopped", unit="s"
    )
    max_priority_workers: int = _setting(8, "most workers of the priority queue alone")

    # Alerts; 0 turns a rule off
    alert_urls: str = _setting(
        "", "where alerts are sent: addresses as Apprise knows them, by space or comma"
    )
    alert_after: float = _setting(
        30.0, "how long a reading must stay over its bound, or under, to count", unit="s"
    )
    alert_queue_depth: int = _setting(8000, "jobs that wait, above which an alert", unit="jobs")
    alert_memory: int = _setting(85, "memory in use above which an alert", unit="%")
    alert_disk: int = _setting(90, "disk in use above which an alert", unit="%")
    alert_connections: int = _setting(
        90, "connections of PostgreSQL or of Redis in use above which an alert", unit="%"
    )
    alert_error_rate: float = _setting(
        5.0, "answers of a minute that are 5xx above which an alert", unit="%"
    )
    alert_answer_seconds: float = _setting(
        5.0, "time that 95 % of a minute's answers took at most, above which an alert", unit="s"
    )
    alert_review_debt_age: int = _setting(
        3600, "age of the oldest review debt above which an alert", unit="s"
    )
    alert_oldest_flag_age: int = _setting(
        86_400, "age of the oldest open flag above which an alert", unit="s"
    )

    # Webhooks
    webhook_allowed_hosts: str = _setting(
        "",
        "hosts, addresses or networks, by comma, that webhooks may lead to though they are private",
    )

    # Console
    undo_seconds: int = _setting(10, "how long a decision's webhook waits for an undo", unit="s")
    session_hours: int = _setting(12, "how long a sign-in lasts", unit="h")
    retention_days: int = _setting(
        30, "how long originals, texts and addresses stay; 0 is for ever", unit="days"
    )
    stats_raw_days: int = _setting(
        30,
        "how long samples of the load and counts by minute stay; hours and days stay for ever",
        unit="days",
    )
