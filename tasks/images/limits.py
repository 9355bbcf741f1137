"""The limits of an untrusted picture, and the error for a picture that is not decoded.

Separate from `open_untrusted`, which loads the decoders: only the child needs them, not the worker.
"""

from __future__ import annotations

from dataclasses import dataclass


class PictureError(Exception):
    """A picture that is not decoded; the message is a sentence for a person.

    It is refused if `code` is `unreadable` (nothing of it can be decoded), `too_large` (pixels,
    side or scans) or `unsupported` (not in `open_untrusted.accepted`). A person must look if `code`
    is `damaged` (cut, so that only a browser shows a part), or if the decoder gave it up:
    `too_slow`, `too_hungry` (out of memory) or `crashed` (see `decoder`).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Limits:
    """Limits of one file: pixels and side of a frame, sampled frames, pixels in all, CPU seconds.

    After ``seconds`` no further frame is started; 0 is no limit.
    """

    max_pixels: int = 40_000_000
    max_side: int = 16_384
    max_frames: int = 200
    max_total_pixels: int = 400_000_000
    seconds: float = 0.0
