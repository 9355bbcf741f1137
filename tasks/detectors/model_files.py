"""The detectors' model files: where they are, and whether they are those of this release."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tasks.detectors.base import DetectorDown

# The SHA-256 of each file, which ``scripts/vendor detectors`` makes from a pinned package. A file
# of another version would give other scores under the same name.
PINNED = {
    "nsfw_mobilenet.onnx": "f7ed70de4e9631ec7c690d65bef65c295c351bf724b9e680a70d99b6db80f103",
    "toxicity.npy": "c1f271e6df7b0d9e92e7fe29d7e216439cbf72d114e9ce16790a5ba4a37e6a28",
}


def read(folder: Path, name: str) -> bytes:
    """A model file's bytes. Raises `DetectorDown`, which says what to do."""
    path = folder / name
    remedy = f"Run scripts/vendor detectors {path.stem}."
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DetectorDown(f"The model file {path} is missing. {remedy}") from error
    except OSError as error:
        raise DetectorDown(f"The model file {path} cannot be read: {error.strerror}.") from error
    if wrong := difference(name, content):
        raise DetectorDown(
            f"The model file {path} is damaged or of another version: {wrong}. {remedy}"
        )
    return content


def difference(name: str, content: bytes) -> str:
    """How these bytes differ from the model file of this release; "" if they are the same."""
    digest = hashlib.sha256(content).hexdigest()
    if digest == PINNED[name]:
        return ""
    return f"its SHA-256 is {digest}, this release needs {PINNED[name]}"


def write(folder: Path, name: str, content: bytes) -> None:
    """Replace a model file at once: a worker that starts now reads the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{name}.{os.getpid()}"
    part.write_bytes(content)
    part.replace(folder / name)
