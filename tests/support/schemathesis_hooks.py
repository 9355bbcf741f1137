"""Hooks of the schemathesis run: ``SCHEMATHESIS_HOOKS`` names this module."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Say in ``anyOf`` what the bodies of uploads say in ``not``, by De Morgan's laws.

    Generators of clients need the one form; schemathesis fails at it in a schema with files.
    """
    for name in ("Upload", "TextUpload", "TextForm"):
        schema = raw_schema["components"]["schemas"][name]
        nothing = schema.pop("not")["properties"]
        schema["anyOf"] = [
            {"required": [field], "properties": {field: absent["not"]}}
            for field, absent in nothing.items()
        ]
