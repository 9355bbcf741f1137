"""What an untrusted picture may ask of us, and the error of one that will not be looked at.

Apart from `open_untrusted`, which loads the decoders: a worker needs none, its child has them.
"""

from __future__ import annotations

from dataclasses import dataclass


class PictureError(Exception):
    """A picture that will not be looked at; the message is a sentence for a person.

    It is refused where `code` is `unreadable` (cut, corrupt or lying), `too_large` (pixels, side or
    scans) or `unsupported` (none of `open_untrusted.accepted`). It is given up, and a person must
    look, where it is `too_slow`, `too_hungry` (of memory) or `crashed` (see `decoder`).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Limits:
    """What a file may ask of us: pixels of one frame, its side, frames looked at, pixels in all,
    and seconds of the processor after which no further frame is begun; 0 is no limit."""

    max_pixels: int = 40_000_000
    max_side: int = 16_384
    max_frames: int = 200
    max_total_pixels: int = 400_000_000
    seconds: float = 0.0
