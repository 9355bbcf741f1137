"""The rules of the alerts: what each looks at, from when it speaks, and what it says. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from models.settings import Settings

CRITICAL, WARNING = "critical", "warning"
COMING_DOWN = 0.9  # an alert ends below this share of its bound
UNITS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Without a ``setting`` its bound is 0; a setting that is 0 turns it off.

    ``sentence`` takes ``{reading}`` and ``{why}``; ``part`` is the part of ``/readyz`` that says
    the same at once. ``local``: it is of one host, so that each standby speaks for its own.
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
        """The reading above which it speaks."""
        return float(getattr(settings, self.setting)) if self.setting else 0.0

    def is_off(self, settings: Settings) -> bool:
        """Whether the settings turn it off."""
        return bool(self.setting) and self.bound(settings) == 0

    def holds(self, reading: float, bound: float, *, open_: bool) -> bool:
        """Whether it speaks at this reading, being open already or not."""
        return reading > bound * (COMING_DOWN if open_ else 1.0)

    def say(self, reading: float, why: str = "") -> str:
        """Its sentence for a reading."""
        return self.sentence.format(reading=worded(reading, self.unit), why=why).strip()


RULES: tuple[Rule, ...] = (
    Rule(
        "database",
        CRITICAL,
        "PostgreSQL is away",
        "PostgreSQL does not answer: nothing can be uploaded or read.",
        "Look at its log in var/log, or at the server that DATABASE_URL names.",
        part="PostgreSQL",
    ),
    Rule(
        "redis",
        CRITICAL,
        "Redis is away",
        "Redis does not answer: the workers take uploads from PostgreSQL, more slowly.",
        "Look at its log in var/log, or at the server that REDIS_URL names.",
        part="Redis",
    ),
    Rule(
        "workers",
        CRITICAL,
        "Workers are missing",
        "{why}",
        "See scripts/status and the worker's log in var/log.",
        part="Workers",
        local=True,
    ),
    Rule(
        "model",
        CRITICAL,
        "The model cannot be asked",
        "Rules decide alone, and what they let through owes its check: {why}",
        "Put the model file back, or NSFW_MODEL right; the debt is then worked off by itself.",
        part="Model",
    ),
    Rule(
        "memory",
        CRITICAL,
        "Memory is short",
        "{reading} of the memory are in use; uploads pause at MEMORY_THRESHOLD.",
        "Run fewer workers with scripts/scale, or give the machine more memory.",
        setting="alert_memory",
        unit="%",
        part="Memory",
        local=True,
    ),
    Rule(
        "disk",
        CRITICAL,
        "The disk is nearly full",
        "{reading} of the disk are in use; uploads pause at DISK_THRESHOLD.",
        "Free some room, or shorten RETENTION_DAYS.",
        setting="alert_disk",
        unit="%",
        part="Disk",
        local=True,
    ),
    Rule(
        "error_rate",
        CRITICAL,
        "Answers fail",
        "{reading} of the last minute's answers were errors of the server.",
        "The logs of the web processes in var/log name each by its request id.",
        setting="alert_error_rate",
        unit="%",
    ),
    Rule(
        "answer_seconds",
        WARNING,
        "Answers are slow",
        "One answer in twenty took longer than {reading} in the last minute.",
        "Server-Timing in a reply says where its time went.",
        setting="alert_answer_seconds",
        unit="s",
    ),
    Rule(
        "queue_depth",
        WARNING,
        "The queue is long",
        "{reading} jobs wait; past MAX_QUEUE_SIZE more wait in PostgreSQL.",
        "Start more workers with scripts/scale.",
        setting="alert_queue_depth",
        unit="jobs",
        part="Queue",
    ),
    Rule(
        "database_connections",
        WARNING,
        "Database connections run out",
        "{reading} of PostgreSQL's connections are taken.",
        "Lower DB_POOL_MAX, or raise max_connections of the server.",
        setting="alert_connections",
        unit="%",
    ),
    Rule(
        "redis_connections",
        WARNING,
        "Redis connections run out",
        "{reading} of Redis's connections are taken.",
        "Lower REDIS_POOL_MAX, or raise maxclients of the server.",
        setting="alert_connections",
        unit="%",
    ),
    Rule(
        "review_debt_age",
        WARNING,
        "Review debt is old",
        "Something let through unchecked has waited {reading} for its checks.",
        "Start more workers, or look at the debt in Review.",
        setting="alert_review_debt_age",
        unit="s",
    ),
    Rule(
        "oldest_flag_age",
        WARNING,
        "A flag has waited long",
        "The oldest flag has waited {reading} for a person.",
        "Review it, or ask somebody to.",
        setting="alert_oldest_flag_age",
        unit="s",
    ),
    Rule(
        "dead_deliveries",
        WARNING,
        "Webhook calls were given up",
        "{reading} given up within the last day.",
        "See what came of them, and send them again.",
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
