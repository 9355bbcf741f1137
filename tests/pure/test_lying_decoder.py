"""A decoder that a picture has taken over answers as it likes; the worker must not be harmed."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from models.settings import Settings
from tasks.images.decoder import Decoder
from tasks.images.limits import Limits, PictureError
from tests.support.lying_decoder import LIES
from tests.support.tried import tried

PICTURE = Path(__file__).parents[1] / "fixtures" / "safe_astronaut.jpg"
BELIEVED = ("control characters", "with descriptors")
OF_DRAWING = tuple(name for name in LIES if "thumbnail" in name or name.startswith("a frame"))
OF_LOOKING = tuple(name for name in LIES if name not in (*BELIEVED, *OF_DRAWING, "drip"))


def liar(folder: Path, lie: str, seconds: float = 30.0) -> Decoder:
    decoder = Decoder(Settings(sluice_home=folder, decode_timeout=seconds))
    decoder.program = ("tests.support.lying_decoder", lie)
    return decoder


@pytest.mark.parametrize("lie", OF_LOOKING)
def test_an_invalid_response_is_a_picture_for_a_person(tmp_path: Path, lie: str) -> None:
    tried(1)
    before = psutil.Process().memory_info().rss  # other tests of this process have used some
    with closing(liar(tmp_path, lie)) as decoder:
        with pytest.raises(PictureError) as caught:
            decoder.look(PICTURE, Limits())
        assert caught.value.code == "crashed"
        assert decoder.pid is None  # the next picture gets another child
    assert psutil.Process().memory_info().rss - before < 200_000_000


@pytest.mark.parametrize("lie", OF_DRAWING)
def test_only_requested_thumbnails_are_taken(tmp_path: Path, lie: str) -> None:
    tried(1)
    with closing(liar(tmp_path, lie)) as decoder, pytest.raises(PictureError, match="invalid"):
        decoder.draw(PICTURE, [0], Limits())


def test_a_response_that_drips_ends_at_its_time(tmp_path: Path) -> None:
    decoder = liar(tmp_path, "drip", seconds=0.5)
    with closing(decoder), pytest.raises(PictureError) as caught:
        decoder.look(PICTURE, Limits())
    assert caught.value.code == "too_slow"


def test_no_descriptor_is_taken_from_a_child(tmp_path: Path) -> None:
    with closing(liar(tmp_path, "with descriptors")) as decoder:
        decoder.start()
        before = sorted(os.listdir("/proc/self/fd"))
        assert decoder.look(PICTURE, Limits()).width == 8
        assert sorted(os.listdir("/proc/self/fd")) == before


def test_what_a_child_writes_is_one_line_of_printable_text(tmp_path: Path) -> None:
    with closing(liar(tmp_path, "control characters")) as decoder:
        [note] = decoder.look(PICTURE, Limits()).notes
    assert note.isprintable() and note.startswith("a") and note.endswith("b")
