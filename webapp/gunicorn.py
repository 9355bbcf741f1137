"""How gunicorn runs one web instance; INSTANCE and SLUICE_RUN come from who starts it."""

from __future__ import annotations

import gc
import os
from typing import Any

from gunicorn import glogging

from models.settings import Settings, get_settings, use_settings
from tasks.observability import logs

umask = 0o077
backlog = 2048
workers = 1
worker_class = "gevent"
worker_connections = 2000
preload_app = False  # a database object made before gevent's patch would hang
timeout = 60  # of a hub that no longer turns; long replies are gevent's business
graceful_timeout = 15
keepalive = 5  # longer than nginx's, short because a stop waits for idle connections too
limit_request_line = 8190  # nginx's own bounds are as high, and its refusals are problem documents
limit_request_field_size = 16_384
forwarded_allow_ips = "*"  # only nginx reaches the socket, or WEB_LISTEN's network
GARBAGE = 10_000  # new objects between two looks for cycles; an upload makes some hundreds
SHARED_MEMORY = "/dev/shm"  # nosec B108
accesslog = None  # nginx keeps it
errorlog = "-"
loglevel = "info"


class Logger(glogging.Logger):
    """gunicorn's own lines in the shape of all others."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        logs.start(get_settings().log_format)


logger_class = Logger

if __name__ == "__config__":  # the name under which gunicorn runs this file
    _instance = os.environ.get("INSTANCE", "00")
    bind = use_settings(Settings.load()).web_address(int(_instance))
    control_socket = f"{os.environ['SLUICE_RUN']}/web_{_instance}.ctl"
    proc_name = f"sluice web_{_instance}"
    worker_tmp_dir = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None


def post_fork(server: Any, worker: Any) -> None:
    """Let psycopg2 wait in gevent's way; without it one slow query stops the process."""
    from psycogreen.gevent import patch_psycopg

    patch_psycopg()


def post_worker_init(worker: Any) -> None:
    """Watch for the stop, to end the streams and long polls that would hold it up.

    What was made until now stays for good: the collector of cycles need not walk it again and
    again, which was a twelfth of the time of an upload.
    """
    import gevent

    gevent.spawn(_end_waiting, worker)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


def _end_waiting(worker: Any) -> None:
    import gevent

    while worker.alive:
        gevent.sleep(0.2)
    for name in ("live", "waiting"):
        worker.wsgi.extensions[name].close()
