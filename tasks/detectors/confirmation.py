"""What two networks mean together: the second one confirms or doubts the first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.verdict import Policy

SURE_NEUTRAL = 0.95  # from here the second network says that a picture shows nothing
CONFIRMING = ("porn", "drawn_sexual")  # its labels that mean nudity


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What both networks mean: ``action`` is one of a finding's.

    ``last``: a person should look at it after all others, because it is probably harmless.
    """

    action: str
    agreement: str  # both, first, second, neither
    last: bool = False


def is_asked(action: str) -> bool:
    """Whether the second network is asked: if the first one alone would not approve."""
    return action in ("reject", "review")


def confirm(action: str, second: Mapping[str, float], policy: Policy) -> Confirmation:
    """What the first network's action and the second one's scores by label mean together.

    - The first would reject or review, and the second is sure that nothing is shown: review, last
      in the queue.
    - Otherwise what the first one means alone. A mere doubt holds no rejection back, and the second
      network never makes a verdict stricter.
    """
    worst = max((second.get(label, 0.0) for label in CONFIRMING), default=0.0)
    agreement = _AGREEMENT[is_asked(action), worst >= policy.review_at]
    if is_asked(action) and second.get("neutral", 0.0) >= SURE_NEUTRAL:
        return Confirmation("review", agreement, last=True)
    return Confirmation(action, agreement)


_AGREEMENT = {
    (True, True): "both",
    (True, False): "first",
    (False, True): "second",
    (False, False): "neither",
}
