"""The alert rules: each one's reading, threshold and texts. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from models.settings import Settings

CRITICAL, WARNING = "critical", "warning"
COMING_DOWN = 0.9  # an alert ends below this share of its threshold
UNITS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"))


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alert rule. Without a ``setting`` its threshold is 0; a setting of 0 turns it off.

    ``sentence`` may contain ``{reading}`` and ``{why}``; ``part`` is the part of ``/readyz`` that
    reports the same immediately. ``local``: per host, so each host's standby reports its own.
    """

    name: str
    level: str
    title: str
    sentence: str
    advice: str
    setting: str = ""
    unit: str = ""
    part: str = ""
    local: bool = False

    def bound(self, settings: Settings) -> float:
        """Its threshold."""
        return float(getattr(settings, self.setting)) if self.setting else 0.0

    def is_off(self, settings: Settings) -> bool:
        """Whether the settings turn it off."""
        return bool(self.setting) and self.bound(settings) == 0

    def holds(self, reading: float, bound: float, *, open_: bool) -> bool:
        """Whether the reading is above the threshold (``COMING_DOWN`` of it for an open alert)."""
        return reading > bound * (COMING_DOWN if open_ else 1.0)

    def say(self, reading: float, why: str = "") -> str:
        """Its sentence for a reading."""
        return self.sentence.format(reading=worded(reading, self.unit), why=why).strip()


RULES: tuple[AlertRule, ...] = (
    AlertRule(
        "database",
        CRITICAL,
        "PostgreSQL is down",
        "PostgreSQL does not respond: nothing can be uploaded or read.",
        "Read its log in var/log, or check the server in DATABASE_URL.",
        part="PostgreSQL",
    ),
    AlertRule(
        "redis",
        CRITICAL,
        "Redis is down",
        "Redis {why}: workers take uploads from PostgreSQL, which is slower.",
        "Read its log in var/log, or check the server in REDIS_URL.",
        part="Redis",
    ),
    AlertRule(
        "workers",
        CRITICAL,
        "Workers are missing",
        "{why}",
        "See scripts/status and the worker's log in var/log.",
        part="Workers",
        local=True,
    ),
    AlertRule(
        "model",
        CRITICAL,
        "The model is unavailable",
        "Only text rules decide; uploads that they approve become review debt: {why}",
        "Restore the model file, or correct NSFW_MODEL. The debt is then worked off automatically.",
        part="Model",
    ),
    AlertRule(
        "rules",
        WARNING,
        "Rules do not compile",
        "Ignored: {why}",
        "Correct or remove the rules that the Rules page marks.",
        part="Rules",
    ),
    AlertRule(
        "memory",
        CRITICAL,
        "Memory is short",
        "{reading} of the memory is in use; uploads pause at MEMORY_THRESHOLD.",
        "Run fewer workers with scripts/scale, or add memory.",
        setting="alert_memory",
        unit="%",
        part="Memory",
        local=True,
    ),
    AlertRule(
        "disk",
        CRITICAL,
        "The disk is nearly full",
        "{reading} of the disk is in use; uploads pause at DISK_THRESHOLD.",
        "Free disk space, or lower RETENTION_DAYS.",
        setting="alert_disk",
        unit="%",
        part="Disk",
        local=True,
    ),
    AlertRule(
        "storage",
        CRITICAL,
        "The storage is unavailable",
        "Pictures cannot be stored: {why}.",
        "Check the media folder's permissions and its disk, or the bucket in STORAGE_URL.",
        part="Storage",
        local=True,
    ),
    AlertRule(
        "error_rate",
        CRITICAL,
        "Requests fail",
        "{reading} of the last minute's responses were server errors (5xx).",
        "The logs of the web processes in var/log list each failure with its request id.",
        setting="alert_error_rate",
        unit="%",
    ),
    AlertRule(
        "answer_seconds",
        WARNING,
        "Responses are slow",
        "5 % of the last minute's responses took longer than {reading}.",
        "The Server-Timing header of a response shows where the time went.",
        setting="alert_answer_seconds",
        unit="s",
    ),
    AlertRule(
        "queue_depth",
        WARNING,
        "The queue is long",
        "{reading} jobs wait. Beyond MAX_QUEUE_SIZE further jobs wait in PostgreSQL.",
        "Start more workers with scripts/scale.",
        setting="alert_queue_depth",
        unit="jobs",
        part="Queue",
    ),
    AlertRule(
        "database_connections",
        WARNING,
        "Database connections run out",
        "{reading} of PostgreSQL's connections are in use.",
        "Lower DB_POOL_MAX, or raise max_connections on the server.",
        setting="alert_connections",
        unit="%",
    ),
    AlertRule(
        "redis_connections",
        WARNING,
        "Redis connections run out",
        "{reading} of Redis's connections are in use.",
        "Lower REDIS_POOL_MAX, or raise maxclients on the server.",
        setting="alert_connections",
        unit="%",
    ),
    AlertRule(
        "review_debt_age",
        WARNING,
        "Review debt is old",
        "The oldest unchecked upload has waited {reading} for its checks.",
        "Start more workers, or review the debt in the console.",
        setting="alert_review_debt_age",
        unit="s",
    ),
    AlertRule(
        "oldest_flag_age",
        WARNING,
        "A flag has waited long",
        "The oldest flag has waited {reading} for a person.",
        "Review it, or ask a moderator to.",
        setting="alert_oldest_flag_age",
        unit="s",
    ),
    AlertRule(
        "dead_deliveries",
        WARNING,
        "Webhook calls were given up",
        "{reading} given up within the last day.",
        "See their results under Deliveries, and resend them.",
        unit="calls",
    ),
)
BY_NAME = {rule.name: rule for rule in RULES}


def worded(value: float, unit: str) -> str:
    """A reading with its unit: ``91 %``, ``2.5 h``, ``8,120 jobs``."""
    if unit == "s":
        return _duration(value)
    if unit == "calls":
        return f"{value:,.0f} webhook {'call was' if value == 1 else 'calls were'}"
    number = f"{value:.3g}" if unit == "%" else f"{value:,.0f}"
    return f"{number} %" if unit == "%" else number


def _duration(seconds: float) -> str:
    for length, unit in UNITS:
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.1f}".removesuffix(".0") + " s"
