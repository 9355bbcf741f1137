"""Configuration of gunicorn for one web instance.

The environment variables INSTANCE and SLUICE_RUN are set by the process that starts it.
"""

from __future__ import annotations

import gc
import os
from typing import Any

from gunicorn import glogging

from models.database import schema
from models.settings import Settings, get_settings, use_settings
from tasks.observability import logs

umask = 0o077
backlog = 2048
workers = 1
worker_class = "gevent"
worker_connections = 2000
preload_app = False  # a database object created before gevent's patch would hang
timeout = 60  # seconds without a turn of the event loop; a slow response does not count
graceful_timeout = 15
keepalive = 5  # longer than nginx's; short, because a stop also waits for idle connections
limit_request_line = 8190  # nginx has the same limits and answers with a problem document
limit_request_field_size = 16_384
forwarded_allow_ips = "*"  # only nginx reaches the socket, or WEB_LISTEN's network
GC_THRESHOLD = 10_000  # new objects between two garbage collections; an upload makes hundreds
SHARED_MEMORY = "/dev/shm"  # nosec B108
accesslog = None  # nginx writes it
errorlog = "-"
loglevel = "info"


class Logger(glogging.Logger):
    """Writes gunicorn's log lines in the format of all other log lines."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        logs.start(get_settings().log_format)


logger_class = Logger

if __name__ == "__config__":  # gunicorn runs this file under this name
    _instance = os.environ.get("INSTANCE", "00")
    bind = use_settings(Settings.load()).web_address(int(_instance))
    control_socket = f"{os.environ['SLUICE_RUN']}/web_{_instance}.ctl"
    proc_name = f"sluice web_{_instance}"
    worker_tmp_dir = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None


def on_starting(_server: Any) -> None:
    """Listen only when the database has the schema of this code; nginx uses the other instances."""
    schema.wait_for_schema(get_settings())


def post_worker_init(worker: Any) -> None:
    """Close streams and long polls when the worker stops, and tune garbage collection.

    Objects that exist now live as long as the process. They are frozen, so that the garbage
    collector skips them: scanning them took a twelfth of the time of an upload.
    """
    import gevent

    gevent.spawn(_close_waiters_on_stop, worker)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def _close_waiters_on_stop(worker: Any) -> None:
    import gevent

    while worker.alive:
        gevent.sleep(0.2)
    for name in ("live", "waiting"):
        worker.wsgi.extensions[name].close()
