"""Template filters for times, numbers and labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from flask import Flask
from markupsafe import Markup, escape

from models.labels.label_index import LabelEntry, labels
from models.verdict import Finding, explain

_OVERRIDE = Markup('<bdi class="override" title="From here on, letters are shown from {}">{}</bdi>')
OVERRIDES = {
    "\u202d": _OVERRIDE.format("left to right", "→"),
    "\u202e": _OVERRIDE.format("right to left", "←"),
}
EVENTS = {"erased": "Erased undecided", "appeal": "Appealed", "unblocked": "Block undone"}
UNITS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "h"), (60, "min"))


def init_app(app: Flask) -> None:
    """Register the filters and globals."""
    app.add_template_filter(age)
    app.add_template_filter(moment)
    app.add_template_filter(label)
    app.add_template_filter(short_label)
    app.add_template_filter(explain)
    app.add_template_filter(initials)
    app.add_template_filter(size)
    app.add_template_filter(thousands)
    app.add_template_filter(with_overrides, "overrides")
    app.add_template_global(many)
    app.add_template_global(offered_labels)


def span(seconds: float) -> tuple[str, str]:
    """A duration in seconds as a short number and its unit."""
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0"), "s"
    if seconds < 90:
        return f"{seconds:.0f}", "s"
    if seconds < 5400:
        return f"{seconds / 60:.0f}", "min"
    return f"{seconds / 3600:.1f}", "h"


def age(at: datetime | None) -> str:
    """The time since ``at`` in one unit: ``4 min``, ``8 months``."""
    if at is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - _aware(at)).total_seconds())
    for length, unit in UNITS:
        if seconds >= length:
            number = int(seconds // length)
            plural = "s" if number > 1 and unit in ("day", "month", "year") else ""
            return f"{number} {unit}{plural}"
    return f"{int(seconds)} s"


def moment(at: datetime | None, kind: str = "clock") -> Markup:
    """A ``<time>`` in UTC; our script converts it to the reader's time zone."""
    if at is None:
        return Markup("")
    at = _aware(at)
    today = at.date() == datetime.now(UTC).date()
    shape = "%H:%M:%S" if today or kind == "time" else "%d %b %H:%M"
    return Markup('<time datetime="{}" data-kind="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), kind, at.strftime(shape)
    )


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def label(name: str) -> str:
    """The title of a label, or of what is recorded in its place: ``Off-site contact``."""
    return EVENTS.get(name) or labels.get().title(name)


def short_label(name: str) -> str:
    """The title of a label for narrow buttons: ``Off-site``."""
    entry = labels.get().entries.get(name)
    return entry.button if entry else label(name)


def offered_labels() -> Sequence[LabelEntry]:
    """The labels that people can choose, in their order."""
    return labels.get().offered


def many(number: int, noun: str) -> str:
    """``1 worker``, ``2 workers``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def thousands(number: int) -> str:
    """A number with thousands separators: ``12,345``."""
    return f"{number:,}"


def initials(name: str) -> str:
    """Two letters for the round badge of an account."""
    parts = [part for part in name.replace("-", " ").replace("_", " ").split() if part]
    letters = parts[0][0] + parts[-1][0] if len(parts) > 1 else name.strip()[:2]
    return letters.upper()


def size(number: float) -> str:
    """A number of bytes with its unit: ``112 MB``."""
    for unit in ("B", "kB", "MB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GB"


def marked(text: str, field: str, findings: Iterable[Finding]) -> Markup:
    """The text, escaped, with ``<mark>`` around the matches of rules."""
    matches = [found for found in findings if _is_match(found, field, len(text))]
    matches.sort(key=lambda found: (found.evidence["start"], -found.evidence["end"]))
    done = 0
    parts: list[Markup] = []
    for found in matches:
        start, end = max(found.evidence["start"], done), found.evidence["end"]
        if start < end:
            parts.append(with_overrides(text[done:start]))
            parts.append(
                Markup('<mark class="{}" title="{}">{}</mark>').format(
                    found.action, explain(found), with_overrides(text[start:end])
                )
            )
            done = end
    return Markup("").join([*parts, with_overrides(text[done:])])


def with_overrides(text: str) -> Markup:
    """The text, escaped, with a label before each direction override, which turns letters round.

    The override stays, so a moderator sees the letters in the order in which the site shows them.
    """
    shown = escape(text)
    for override, label in OVERRIDES.items():
        shown = shown.replace(override, label + override)
    return shown


def excerpt(text: str, found: Finding, around: int = 70) -> Markup:
    """The match of a rule's finding with the text around it; empty if it has none."""
    if not _is_match(found, found.evidence.get("field", ""), len(text)):
        return Markup("")
    start, end = found.evidence["start"], found.evidence["end"]
    return Markup('{}{}<mark class="{}">{}</mark>{}{}').format(
        "…" if start > around else "",
        with_overrides(text[max(0, start - around) : start]),
        found.action,
        with_overrides(text[start:end]),
        with_overrides(text[end : end + around]),
        "…" if len(text) > end + around else "",
    )


def _is_match(found: Finding, field: str, length: int) -> bool:
    evidence = found.evidence
    start, end = evidence.get("start"), evidence.get("end")
    return (
        found.check == "rules"
        and evidence.get("field") == field
        and isinstance(start, int)
        and isinstance(end, int)
        and 0 <= start < end <= length
    )


def is_past(at: datetime) -> bool:
    """Whether ``at`` is in the past."""
    return _aware(at) < datetime.now(UTC)
