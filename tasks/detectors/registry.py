"""The table of detectors, and those that this process asks. Importing this loads none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from models.settings import Settings, per_process
from tasks.detectors.base import IMAGE, OFF, ON, TEXT, Declaration, Detector
from tasks.detectors.guard import Guard


class DetectorEntry(NamedTuple):
    """A detector in the table: what it declares, and how it is made."""

    declared: Declaration
    load: Callable[[Settings], Detector]


def _nsfw_mobilenet(settings: Settings) -> Detector:
    from tasks.detectors.nsfw_mobilenet import NsfwMobilenet

    return NsfwMobilenet(settings)


def _toxicity(settings: Settings) -> Detector:
    from tasks.detectors.toxicity import Toxicity

    return Toxicity(settings)


TABLE: Mapping[str, DetectorEntry] = {
    entry.declared.name: entry
    for entry in (
        DetectorEntry(
            Declaration(
                name="toxicity",
                title="Toxic English texts, by their words",
                labels=("toxicity",),
                inputs=(TEXT,),
                cost=220,
                version="alt-profanity-check 1.9.1",
                deadline=1.0,
            ),
            _toxicity,
        ),
        DetectorEntry(
            Declaration(
                name="nsfw_mobilenet",
                title="Second image network",
                labels=("porn", "suggestive", "drawn_sexual", "drawing", "neutral"),
                inputs=(IMAGE,),
                cost=11_500,
                version="nsfwjs 4.4.0 mobilenet_v2",
                deadline=3.0,
                harmless=("drawing", "neutral"),
                named={"porn": "sexual"},
            ),
            _nsfw_mobilenet,
        ),
    )
}


def state_of(name: str, settings: Settings) -> str:
    """The state of a detector: off, shadow or on."""
    return str(getattr(settings, f"detector_{name}"))


def _make(settings: Settings) -> dict[str, Guard]:
    entries = [e for e in TABLE.values() if state_of(e.declared.name, settings) != OFF]
    return {
        entry.declared.name: Guard(
            entry.declared, partial(entry.load, settings), settings.review_at
        )
        for entry in sorted(entries, key=lambda each: each.declared.cost)
    }


def labels_on(settings: Settings) -> list[str]:
    """The server's labels that detectors which are on give scores of."""
    declared = [e.declared for e in TABLE.values() if state_of(e.declared.name, settings) == ON]
    own = [(each, label) for each in declared for label in each.labels]
    return [each.label_of(label) for each, label in own if label not in each.harmless]


guards = per_process(_make)  # the detectors that are not off, cheapest first
