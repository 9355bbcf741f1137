"""The standby process: everything that runs on a clock. ``python -m tasks.standby``.

Several hosts may each run one: every duty may run twice at the same time.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import peewee
import setproctitle

from models.alerts import alert
from models.capacity import mode
from models.database import connection, schema
from models.settings import Settings, use_settings
from models.statistics.load_samples import LoadSample
from tasks.alerts.alerting import Alerting
from tasks.hash_bank import request_hash
from tasks.load import adaptive_limit, liveness, metrics_server, snapshot
from tasks.maintenance import retention, rollup, sweep
from tasks.observability import logs, metrics, tracing
from tasks.servers import certificate
from tasks.webhooks import deliver

LONGEST_RUN = 600.0  # seconds
log = logging.getLogger("sluice.standby")


@dataclass
class Duty:
    """A function that runs every ``every`` seconds in its own thread."""

    name: str
    every: float
    act: Callable[[], object]
    own_connection: bool = False  # it connects itself, and also runs while PostgreSQL is down
    longest: float = LONGEST_RUN  # seconds until a run counts as stuck; 0 for one without a bound

    def run(self, stop: threading.Event) -> None:
        """Run until the process stops; a failure is logged and the next run follows."""
        pause = min(self.every, 5.0)  # the first run comes soon after the start
        while not stop.wait(pause):
            pause = self.every
            try:
                with liveness.expected(self.name, self.longest), self._connection():
                    self.act()
            except peewee.PeeweeException as error:
                log.warning("%s: PostgreSQL: %s", self.name, str(error).strip().split("\n")[0])
            except Exception:
                log.exception("%s failed", self.name)

    def _connection(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext() if self.own_connection else connection.connection()


def sample() -> None:
    """Store the current load for the charts."""
    load = snapshot.snapshot()
    LoadSample.take(
        priority=load["queues"]["priority"],
        normal=load["queues"]["normal"],
        review_debt=load["queues"]["review_debt"],
        to_review=load["to_review"]["all"],
        mode=load["current_mode"] if load["queue_available"] else mode.DIRECT,
        wait=load["estimated_wait"],
        throughput=load["throughput"],
        workers=len(load["workers"]),
    )


def purge_alerts() -> None:
    """Delete alerts that are older than 90 days."""
    alert.purge(90)


def duties(settings: Settings, stop: threading.Event) -> tuple[Duty, ...]:
    """Everything that runs on a clock, each with its interval in seconds."""
    alerts = Alerting(settings)
    return (
        Duty("sweep", 1.0, sweep.sweep),
        Duty("review debt", 0.25, lambda: sweep.enqueue_debt(stop)),
        Duty("deliveries", 0.5, deliver.deliver_due),
        Duty("expired deliveries", 600.0, deliver.give_up),
        Duty("load sample", 10.0, sample),
        Duty("statistics", rollup.EVERY, lambda: rollup.count(stop), longest=0),
        Duty("partitions", 60.0, rollup.keep),
        Duty("adaptive limit", adaptive_limit.EVERY, adaptive_limit.update),
        Duty("alerts", alerts.every, alerts.evaluate, own_connection=True),
        Duty("notices", 1.0, alerts.send_notices),
        Duty("known images", 10.0, request_hash.enqueue_owed),
        Duty("undone blocks", 10.0, lambda: sweep.recheck_undone(stop), longest=0),
        Duty("certificate", 5.0, lambda: certificate.follow(settings)),
        Duty("orphaned files", 600.0, sweep.remove_orphans, longest=0),
        Duty("old alerts", 3600.0, purge_alerts),
        Duty("retention", 600.0, lambda: retention.purge(stop), longest=0),
        Duty("file removal", 10.0, retention.tidy, longest=0),
    )


def main() -> None:
    """Run every duty until SIGTERM or SIGINT."""
    settings, stop = use_settings(Settings.load()), threading.Event()
    logs.start(settings.log_format)
    tracing.start(settings, "standby")
    setproctitle.setproctitle("sluice standby")
    schema.wait_for_schema(settings)
    all_duties = duties(settings, stop)
    connection.connect(settings, pool=len(all_duties) + 4)
    metrics.start()
    metrics_server.serve()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    threads = [
        threading.Thread(target=duty.run, args=(stop,), name=duty.name) for duty in all_duties
    ]
    for thread in threads:
        thread.start()
    while not stop.is_set():
        time.sleep(0.2)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
