"""Simple changes by which a rejecting picture may pass the network: what passes, and at what price.

`python -m scripts.benches.evasions [FOLDER]` prints the tables of docs/pictures.md. It changes the
fixtures that are rejected, and looks at each variant twice: the whole picture alone ("before"), and
with the extra views of the worker ("after"). FOLDER holds further harmless pictures, of which none
should be flagged.
"""

from __future__ import annotations

import io
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from models.settings import ROOT, Settings, use_settings
from models.verdict import Finding, Policy, judge
from scripts.benches import evasion_variants as variants
from tasks.classifier import engine
from tasks.extra_views.look_closer import look_closer
from tasks.images.decoder import Decoder
from tasks.images.limits import Limits

FIXTURES = ROOT / "tests" / "fixtures"
BAD = ("reject_a", "reject_b", "reject_c")
SAFE = ("safe_astronaut", "safe_chelsea", "safe_coffee", "safe_rocket")
POLICY = Policy()


class Looked(NamedTuple):
    """What became of one picture."""

    before: str
    after: str
    score: float  # of the whole picture
    calls: int  # views that the network scored beside the whole picture
    milliseconds: float  # that they took


def main() -> None:
    """Print the table of variants and that of harmless pictures."""
    use_settings(Settings())
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as work:
        looker = Looker(Path(work))
        looker.of(_load(SAFE[0]))  # loads the network, starts the decoder
        _print_bad(looker)
        _print_harmless(looker, folder)
        looker.close()


class Looker:
    """Looks at pictures as a worker does, in the decoder's own process."""

    def __init__(self, work: Path) -> None:
        self._decoder = Decoder(Settings(sluice_home=work, decode_timeout=60))  # also if busy
        self._path = work / "picture"

    def of(self, image: Image.Image, kind: str = "JPEG") -> Looked:
        """What the worker finds in this picture."""
        file = io.BytesIO()
        image.convert("RGB").save(file, kind, **({"quality": 92} if kind == "JPEG" else {}))
        self._path.write_bytes(file.getvalue())
        limits = Limits()
        picture = self._decoder.look(self._path, limits)
        scores = engine().score(list(picture.views))
        begun = time.perf_counter()
        closer = look_closer(
            picture,
            scores,
            lambda frame, boxes: self._decoder.crop(self._path, frame, boxes, limits),
            engine().score,
        )
        took = 1000 * (time.perf_counter() - begun)
        before = _verdict(max(scores), {})
        after = _verdict(closer.score, closer.detail)
        return Looked(before, after, max(scores), closer.calls, took)

    def close(self) -> None:
        """End the decoder."""
        self._decoder.close()


def _verdict(score: float, detail: dict[str, object]) -> str:
    finding = Finding("classifier", "nudity", score=score, image=0, evidence=detail)
    return judge([finding], POLICY).verdict


def _print_bad(looker: Looker) -> None:
    found: dict[str, list[Looked]] = defaultdict(list)
    fillers = [_load(name) for name in SAFE]
    for name in BAD:
        for group, image in variants.of(_load(name), fillers):
            found[group].append(looker.of(image))
    _table(found)


def _print_harmless(looker: Looker, folder: Path | None) -> None:
    found: dict[str, list[Looked]] = defaultdict(list)
    photos = [_load(name) for name in SAFE]
    if folder:
        photos += [Image.open(path).convert("RGB") for path in sorted(folder.iterdir())]
    for photo in photos:
        for group, image in variants.of_harmless(photo, photos):
            found[group].append(looker.of(image))
    for image in variants.sheets(photos):
        found["sheet of 36 avatars"].append(looker.of(image))
    _table(found)


def _table(found: dict[str, list[Looked]]) -> None:
    print("| pictures | tried | approved, reviewed, rejected before | after | views | ms |")
    print("| --- | --- | --- | --- | --- | --- |")
    everything = [looked for group in found.values() for looked in group]
    for group, rows in (*found.items(), ("all", everything)):
        before, after = (_counts(row[at] for row in rows) for at in (0, 1))
        calls = statistics.mean(row.calls for row in rows)
        took = statistics.mean(row.milliseconds for row in rows)
        print(f"| {group} | {len(rows)} | {before} | {after} | {calls:.1f} | {took:.0f} |")
    print(flush=True)


def _counts(verdicts: Iterator[str]) -> str:
    listed = list(verdicts)
    return ", ".join(str(listed.count(one)) for one in ("approved", "review", "rejected"))


def _load(name: str) -> Image.Image:
    return Image.open(FIXTURES / f"{name}.jpg").convert("RGB")


if __name__ == "__main__":
    main()
