"""The form of a policy: from its fields to a document, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.errors import Invalid
from models.policies.document import PARTS, VISIBILITIES, Document

NEVER = "never"  # written into a threshold: this label is never reviewed or rejected by its score
YES_OR_NO = {"": None, "yes": True, "no": False}


def document_of(form: Mapping[str, str], labels: list[str]) -> Document:
    """The document that the form states; empty fields are inherited. Raises Invalid."""
    own: dict[str, dict[str, float | None]] = {}
    for label in labels:
        for part in PARTS:
            field = f"{part}-{label}"
            text = form.get(field, "").strip()
            if text:
                own.setdefault(label, {})[part] = (
                    None if text.lower() == NEVER else _number(text, field)
                )
    rate = form.get("sample_rate", "").strip()
    visibility = form.get("visibility", "")
    unchecked = form.get("publish_unchecked", "")
    if visibility not in ("", *VISIBILITIES) or unchecked not in YES_OR_NO:
        raise Invalid("Choose one of the options.", field="visibility")
    return Document(
        labels=own,
        sample_rate=_number(rate, "sample_rate") if rate else None,
        visibility=visibility or None,
        publish_unchecked=YES_OR_NO[unchecked],
    )


def form_of(document: Document) -> dict[str, str]:
    """The fields of the form for a document."""
    fields = {
        f"{part}-{label}": NEVER if value is None else shown(value)
        for label, own in document.labels.items()
        for part, value in own.items()
    }
    if document.sample_rate is not None:
        fields["sample_rate"] = shown(document.sample_rate)
    if document.publish_unchecked is not None:
        fields["publish_unchecked"] = "yes" if document.publish_unchecked else "no"
    return {**fields, "visibility": document.visibility or ""}


def shown(number: Any) -> str:
    """A threshold as people write it: ``0.8``."""
    return NEVER if number is None else f"{number:.4g}"


def _number(text: str, field: str) -> float:
    try:
        return round(float(text.replace(",", ".")), 4)
    except ValueError as error:
        raise Invalid("Enter a number from 0 to 1, such as 0.8, or never.", field=field) from error
