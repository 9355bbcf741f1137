"""The rules that a new installation begins with: models/rules/data/starter_rules.csv.

The list is made by scripts/_starter_rules.py, mostly from LDNOOBW (CC-BY-4.0, see NOTICE). Rules
whose words have an ordinary meaning too ("cock", "nude", "tit"), and all languages but English,
come switched off.
"""

from __future__ import annotations

import csv
from pathlib import Path

LABELS = (
    "nudity",
    "sexual",
    "scam",
    "violence",
    "hate",
    "spam",
    "contact_off_site",
    "profanity",
    "other",
)
FIELDS = ("kind", "pattern", "action", "label", "active")
PATH = Path(__file__).with_name("data") / "starter_rules.csv"


def load() -> list[tuple[str, str, str, str, bool]]:
    """All starter rules as (kind, pattern, action, label, active), in the order of the file."""
    with PATH.open(encoding="utf-8", newline="") as file:
        return [
            (row["kind"], row["pattern"], row["action"], row["label"], row["active"] == "1")
            for row in csv.DictReader(file)
        ]
