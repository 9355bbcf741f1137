"""The work that a parser does for some bytes, in steps and in copied bytes, not in seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, SupportsIndex


class Watched(bytes):
    """Bytes that count how often they are read, and how many bytes their slices copy."""

    reads = 0
    copied = 0

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        found = super().__getitem__(key)
        self.reads += 1
        self.copied += len(found) if isinstance(found, bytes) else 1
        return found


def work(function: Callable[[bytes], object], data: bytes) -> tuple[int, int]:
    """(calls and reads, copied bytes) of `function(data)`, also if it raises OverflowError."""
    watched, calls = Watched(data), 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function(watched)
    except OverflowError:
        pass
    finally:
        sys.setprofile(before)
    return calls + watched.reads, watched.copied
