"""The settings of detectors, and the names of those that can be switched on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.errors import SettingError
from models.settings.table import _setting as setting

DETECTOR_STATES = ("off", "shadow", "on")
ASKED = ("flagged", "all")
# The detectors, each with the labels that speak against an upload.
DETECTORS = {
    "nsfw_mobilenet": ("porn", "suggestive", "drawn_sexual"),
    "toxicity": ("toxicity",),
}


@dataclass(frozen=True)
class DetectorTable:
    """What an operator can set of detectors.

    In shadow, one is asked and decides nothing. One that is on gives scores of its labels, which
    decide where a policy has thresholds for them.
    """

    detector_nsfw_mobilenet: str = setting(
        "off", "state of the second image network", choices=DETECTOR_STATES
    )
    detector_nsfw_mobilenet_asked: str = setting(
        "flagged",
        "which pictures it is asked about: those that NSFW_ENGINE scored at REVIEW_AT or above, or"
        " all",
        choices=ASKED,
    )
    detector_toxicity: str = setting(
        "off", "state of the built-in model of toxic English texts", choices=DETECTOR_STATES
    )
    detector_models: str = setting(
        "", "folder of the detectors' model files; default SLUICE_HOME/detectors"
    )


def check_detectors(settings: DetectorTable) -> None:
    """Raise SettingError naming the invalid setting."""
    if settings.detector_models and not Path(settings.detector_models).is_absolute():
        raise SettingError("DETECTOR_MODELS must be an absolute path")
