"""The end of the table of settings: alerts, webhooks, and the console."""

from __future__ import annotations

from dataclasses import dataclass

from models.settings.detectors import DetectorTable
from models.settings.table import Table, _setting


@dataclass(frozen=True)
class FullTable(DetectorTable, Table):
    """Everything that an operator can set: ``Table``, detectors, and whom it notifies."""

    # Alerts; 0 turns a rule off
    alert_urls: str = _setting(
        "", "where alerts are sent: Apprise URLs, separated by space or comma"
    )
    alert_after: float = _setting(
        30.0,
        "how long a reading must stay above its threshold before an alert begins, or below it"
        " before the alert ends",
        unit="s",
    )
    alert_queue_depth: int = _setting(8000, "alert when more jobs than this wait", unit="jobs")
    alert_memory: int = _setting(
        85, "alert when more than this share of memory is in use", unit="%"
    )
    alert_disk: int = _setting(
        90, "alert when more than this share of the disk is in use", unit="%"
    )
    alert_connections: int = _setting(
        90,
        "alert when more than this share of the connections of PostgreSQL or Redis is in use",
        unit="%",
    )
    alert_error_rate: float = _setting(
        5.0, "alert when more than this share of a minute's responses is 5xx", unit="%"
    )
    alert_answer_seconds: float = _setting(
        5.0, "alert when the p95 latency of a minute's responses exceeds this", unit="s"
    )
    alert_review_debt_age: int = _setting(
        300, "alert when the oldest review debt is older than this", unit="s"
    )
    alert_oldest_flag_age: int = _setting(
        86_400, "alert when the oldest open flag is older than this", unit="s"
    )

    # Webhooks
    webhook_allowed_hosts: str = _setting(
        "",
        "private hosts, addresses or networks that webhooks may call, comma-separated",
    )
    hold_webhooks: bool = _setting(
        False, "send no webhook: calls stay owed until it is off; for a copy of another server"
    )

    # Console
    undo_seconds: int = _setting(
        10, "delay of a decision's webhook, in which an undo sends nothing", unit="s"
    )
    review_key_delay_ms: int = _setting(
        250, "time that a flag is on screen before a key decides it; 0 is off", unit="ms"
    )
    session_hours: int = _setting(12, "lifetime of a sign-in", unit="h")
    retention_days: int = _setting(
        30, "how long originals, texts and addresses are kept; 0 is for ever", unit="days"
    )
    stats_raw_days: int = _setting(
        30,
        "how long load samples and counts by minute are kept; counts by hour and day are kept"
        " for ever",
        unit="days",
    )
