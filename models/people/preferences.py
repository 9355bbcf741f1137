"""A moderator's settings for viewing graphic pictures; the defaults are the cautious ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from models.errors import Invalid

if TYPE_CHECKING:
    from models.people.moderator import Moderator

BLURS = ("none", "light", "medium", "strong", "total")
SIZES = ("small", "medium", "large")
REVEALS = ("hold", "click")
CHOICES = {"blur": BLURS, "size": SIZES, "reveal": REVEALS}
MAXIMUMS = {"pause_after": 500, "rotate_after": 100}


@dataclass(frozen=True, slots=True)
class Preferences:
    """How pictures are shown to one person. ``of`` never fails; ``read`` validates.

    ``pause_after`` counts graphic items in an hour, ``rotate_after`` graphic items in a row; 0 is
    off.
    """

    blur: str = "strong"
    grey: bool = True
    size: str = "medium"
    reveal: str = "hold"
    autoplay: bool = False
    keys: bool = True
    pause_after: int = 40
    rotate_after: int = 0

    @classmethod
    def of(cls, moderator: Moderator) -> Preferences:
        """The person's preferences; the default for each value that is not stored or invalid."""
        stored = moderator.preferences or {}
        return cls(**{f.name: stored[f.name] for f in fields(cls) if _is_valid(f.name, stored)})

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Preferences:
        """Parse a form, which omits what is off; raises Invalid."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            text = form.get(field.name, "").strip()
            if field.name in CHOICES:
                values[field.name] = text
            elif field.name in MAXIMUMS:
                values[field.name] = int(text) if text.isdecimal() and len(text) < 9 else -1
            else:
                values[field.name] = text in ("on", "1")
            if not _is_valid(field.name, values):
                raise Invalid(_sentence(field.name), field=field.name)
        return cls(**values)

    @property
    def stored(self) -> dict[str, Any]:
        """The value for ``moderator.preferences``."""
        return asdict(self)


def _is_valid(name: str, values: Mapping[str, Any]) -> bool:
    value = values.get(name)
    if name in CHOICES:
        return value in CHOICES[name]
    if name in MAXIMUMS:
        return type(value) is int and 0 <= value <= MAXIMUMS[name]
    return isinstance(value, bool)


def _sentence(name: str) -> str:
    if name in MAXIMUMS:
        return f"{name} must be a whole number from 0 (off) to {MAXIMUMS[name]}."
    return f"{name} must be one of {', '.join(CHOICES[name])}."
