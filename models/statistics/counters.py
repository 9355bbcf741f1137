"""Counts of events in a time span, and figures derived from them. Pure.

A count has a key (kind, name, detail). Counts of shorter spans add up to those of longer ones,
including waits, which are counted in classes.

| kind | name | detail |
| --- | --- | --- |
| received | mode | priority |
| verdict | the machine's first verdict | mode |
| label | the reason of the first verdict | the verdict |
| changed | a later verdict of the machine | the previous one |
| person | a moderator's verdict; an undo subtracts it | the machine's verdict |
| appeal | asked | |
| wait | class of the wait for the first verdict | |
| wait_ms | sum | |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from models.capacity.mode import MODES
from models.verdict import APPROVED, REJECTED, REVIEW, VERDICTS

SHORTEST_WAIT = 0.01  # seconds; the first class ends here
CLASSES_AN_OCTAVE = 4  # a class is 19 % wide, so a percentile is accurate within 10 %
Key = tuple[str, str, str]


class Counts(Counter[Key]):
    """The counts of a time span."""

    def of(self, kind: str, name: str = "", detail: str = "") -> int:
        """The sum of the counts; an empty name or detail matches all."""
        return sum(
            count
            for key, count in self.items()
            if key[0] == kind and name in ("", key[1]) and detail in ("", key[2])
        )

    def by(self, kind: str, names: Sequence[str]) -> dict[str, int]:
        """The counts of a kind for these names."""
        return {name: self.of(kind, name) for name in names}

    @property
    def overturned(self) -> int:
        """Rejections by the machine that a moderator changed to approvals."""
        return self.of("person", APPROVED, REJECTED)

    @property
    def missed(self) -> int:
        """False negatives: approvals by the machine that a moderator changed to rejections."""
        return self.of("person", REJECTED, APPROVED)

    @property
    def flags_decided(self) -> int:
        """What the machine flagged or rejected and a moderator approved or rejected."""
        return self.flags_approved + self._of_flags(REJECTED)

    @property
    def flags_approved(self) -> int:
        """False positives: what the machine flagged or rejected and a moderator approved."""
        return self._of_flags(APPROVED)

    def _of_flags(self, verdict: str) -> int:
        """Moderators' verdicts on what the machine flagged or rejected."""
        return self.of("person", verdict, REVIEW) + self.of("person", verdict, REJECTED)

    @property
    def false_positive_share(self) -> float | None:
        """The approved share of the flags that moderators decided, 0 to 1; None without one."""
        decided, approved = self.flags_decided, self.flags_approved
        return min(1.0, max(0.0, approved / decided)) if decided > 0 else None

    @property
    def wait_mean(self) -> float | None:
        """The mean seconds from upload to first verdict."""
        count = self.of("wait")
        return round(self.of("wait_ms") / count / 1000, 3) if count else None

    def wait_percentile(self, percent: float) -> float | None:
        """The percentile of the wait in seconds: the middle of its class."""
        classes = sorted((int(name), n) for (kind, name, _), n in self.items() if kind == "wait")
        left = sum(n for _, n in classes) * percent / 100
        for number, n in classes:
            left -= n
            if left <= 0:
                return round(SHORTEST_WAIT * 2 ** ((number - 0.5) / CLASSES_AN_OCTAVE), 3)
        return None

    def labels(self, most: int = 6) -> list[tuple[str, int]]:
        """The most frequent reasons of flags and rejections."""
        counts = Counter({key[1]: 0 for key in self if key[0] == "label"})
        for (kind, name, _), count in self.items():
            if kind == "label":
                counts[name] += count
        return counts.most_common(most)

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, as in the API and the charts; waits in seconds."""
        return {
            "received": self.of("received"),
            "modes": self.by("received", MODES),
            "verdicts": self.by("verdict", VERDICTS),
            "wait_mean": self.wait_mean,
            "wait_p95": self.wait_percentile(95),
            "reviewed": self.of("person"),
            "flags_decided": self.flags_decided,
            "flags_approved": self.flags_approved,
            "overturned": self.overturned,
            "missed": self.missed,
            "appeals": self.of("appeal"),
        }


def total(many: Iterable[Counts]) -> Counts:
    """The sum of several counts."""
    result = Counts()
    for counts in many:
        result.update(counts)
    return result
