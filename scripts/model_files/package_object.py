"""Reads what a bundled JavaScript module exports: an object or a string literal."""

from __future__ import annotations

import json
import re
from typing import Any

_STRING = re.compile(r'("(?:[^"\\]|\\.)*")')
_KEY = re.compile(r"([A-Za-z_$][\w$]*)(?=:)")
_BARE_FRACTION = re.compile(r"(?<![\w.])(-?)\.(\d)")


def exported(text: str, begins: str) -> Any:
    """The literal that ``module.exports`` is set to, where it begins with ``begins``.

    Minified literals are JSON but for bare keys, fractions without the leading zero, and !0, !1.
    Nothing is executed. Raises ValueError if there is none.
    """
    at = text.find(f".exports={begins}")
    if at < 0:
        raise ValueError(f"no export begins with {begins!r}")
    parts = _STRING.split(text[at + len(".exports=") :])
    parts[::2] = [_as_json(part) for part in parts[::2]]
    value, _ = json.JSONDecoder().raw_decode("".join(parts))
    return value


def _as_json(code: str) -> str:
    code = _KEY.sub(r'"\1"', code)
    code = re.sub(r"!0\b", "true", re.sub(r"!1\b", "false", code))
    return _BARE_FRACTION.sub(r"\g<1>0.\2", code)
