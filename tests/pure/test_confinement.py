"""The decoder's confinement: what a picture gains that has taken the decoder over."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from models.settings import ROOT, Settings
from tasks.images.decoder import Decoder
from tasks.images.decoder_child import PROGRAM, DecoderDown
from tasks.images.limits import Limits
from tests.support.attacker import ATTACKER, REFUSED, Attacker
from tests.support.decoder_attacks import ATTACKS
from tests.support.older_kernels import has_landlock, has_seccomp
from tests.support.tried import tried

FIXTURES = Path(__file__).parents[1] / "fixtures"
OLDER = "tests.support.older_kernels"
# Refused without any confinement, too: there is nothing to write with, or nothing to take.
HARMLESS = {
    "write_to_the_picture": "EBADF",  # open for reading only
    "use_an_inherited_descriptor": "EBADF",
    "read_the_environment": "ENOENT",
}
# These succeed in the same process without the confinement: the attacks are real.
REAL = (
    *("read_a_file", "list_a_folder", "create_a_file", "delete_a_file", "change_its_mode"),
    *("open_the_picture_for_writing", "change_the_pictures_mode", "make_a_datagram_socket"),
    *("connect_to_a_unix_socket", "connect_to_an_abstract_socket", "fork", "run_a_shell"),
    *("make_memory_executable", "signal_the_worker", "stop_the_worker"),
    *("slow_the_worker", "limit_the_worker"),
)
# What Landlock refuses where seccomp is missing.
BY_LANDLOCK = (
    *("read_a_file", "list_a_folder", "create_a_file", "create_an_unnamed_file"),
    *("truncate_a_file", "delete_a_file", "rename_a_file", "link_a_file", "make_a_folder"),
    *("make_a_symbolic_link", "make_a_fifo", "open_the_picture_for_writing", "trace_the_worker"),
    *("run_a_program", "spawn_a_program"),
)


@pytest.fixture
def aim(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A process that stands for the worker, a listening Unix socket and an abstract one."""
    listening, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    worker = subprocess.Popen(["sleep", "600"])
    with closing(listening), closing(abstract):
        listening.bind(str(tmp_path / "socket"))
        abstract.bind(f"\0{tmp_path}")
        for each in (listening, abstract):
            each.listen(16)
        yield {
            "worker": worker.pid,
            "socket": str(tmp_path / "socket"),
            "abstract": str(tmp_path),
        }
    worker.kill()
    worker.wait()


def outcomes(folder: Path, aim: dict[str, Any], names: Any, *program: str) -> dict[str, str]:
    attacker = Attacker(folder, aim, *program)
    try:
        tried(len(names))
        return {name: attacker(name) for name in names}
    finally:
        attacker.child.end()


def gained(found: dict[str, str]) -> dict[str, str]:
    """Those that were not refused."""
    return {
        name: outcome
        for name, outcome in found.items()
        if outcome not in REFUSED and HARMLESS.get(name) != outcome
    }


@pytest.mark.skipif(not has_seccomp(), reason="no seccomp: readiness says so")
def test_no_attack_gains_anything(tmp_path: Path, aim: dict[str, Any]) -> None:
    assert len(ATTACKS) > 70
    assert not gained(outcomes(tmp_path, aim, ATTACKS))


@pytest.mark.skipif(not has_seccomp(), reason="no seccomp: readiness says so")
def test_without_landlock_seccomp_alone_holds(tmp_path: Path, aim: dict[str, Any]) -> None:
    assert not gained(outcomes(tmp_path, aim, ATTACKS, OLDER, "landlock", *ATTACKER))


@pytest.mark.skipif(
    not has_landlock() or not has_seccomp(), reason="no Landlock: readiness says so"
)
def test_without_seccomp_landlock_keeps_files(tmp_path: Path, aim: dict[str, Any]) -> None:
    assert not gained(outcomes(tmp_path, aim, BY_LANDLOCK, OLDER, "seccomp", *ATTACKER))


@pytest.mark.skipif(not has_seccomp(), reason="no seccomp: readiness says so")
def test_without_both_the_attacks_succeed(tmp_path: Path, aim: dict[str, Any]) -> None:
    """The same attacks in the same process: it is the confinement that refuses them."""
    neither = (OLDER, "landlock", OLDER, "seccomp", *ATTACKER)
    assert gained(outcomes(tmp_path, aim, REAL, *neither)).keys() == set(REAL)


@pytest.mark.skipif(not has_seccomp(), reason="it stands for a kernel without parts by a filter")
@pytest.mark.parametrize(
    ("denied", "lacking"),
    [
        (("landlock",), "Landlock: Function not implemented"),
        (("seccomp",), "seccomp: Invalid argument"),
    ],
)
def test_a_kernel_without_a_part_is_reported_and_pictures_are_decoded(
    tmp_path: Path, denied: tuple[str, ...], lacking: str
) -> None:
    class Older(Decoder):
        program = (OLDER, *denied, *PROGRAM)

    with closing(Older(Settings(sluice_home=tmp_path))) as decoder:
        assert decoder.look(FIXTURES / "safe_astronaut.jpg", Limits()).width == 512
        assert lacking in (decoder.unconfined or "")
    strict = Older(Settings(sluice_home=tmp_path, require_confinement=True))
    with closing(strict), pytest.raises(DecoderDown, match=lacking):
        strict.look(FIXTURES / "safe_astronaut.jpg", Limits())
    assert strict.pid is None


def test_decoding_loads_no_further_module(tmp_path: Path) -> None:
    """A confined process can open no module's file: what is loaded late is missing there."""
    with Image.open(FIXTURES / "reject_c_exif6.jpg") as photo:
        exif, small = photo.getexif(), photo.resize((64, 64))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for suffix in ("jpg", "png", "webp", "avif"):
        small.save(tmp_path / f"small.{suffix}", exif=exif, icc_profile=profile)
    small.save(tmp_path / "two.jpg", "MPO", save_all=True, append_images=[small])
    small.save(tmp_path / "two.png", save_all=True, append_images=[small.rotate(90)])
    pictures = [*tmp_path.iterdir(), *FIXTURES.glob("reject_a*"), *FIXTURES.glob("animated*")]
    program = (
        "import sys\n"
        "from tasks.images import decoder_process\n"
        "from tasks.images.limits import Limits\n"
        "from tasks.images.open_untrusted import preload\n"
        "preload()\n"
        "before = set(sys.modules)\n"
        "for path in sys.argv[1:]:\n"
        "    with open(path, 'rb') as file:\n"
        "        decoder_process._look(file.fileno(), Limits())\n"
        "        file.seek(0)\n"
        "        decoder_process._draw(file.fileno(), [0], Limits())\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    command = [sys.executable, "-c", program, *map(str, pictures)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_one_decoder_decodes_any_number_of_pictures(tmp_path: Path) -> None:
    path = tmp_path / "small.jpg"
    with Image.open(FIXTURES / "safe_chelsea.jpg") as image:
        image.resize((64, 64)).save(path)
    with closing(Decoder(Settings(sluice_home=tmp_path))) as decoder:
        decoder.start()
        pid = decoder.pid
        for _ in range(
            300
        ):  # what it makes for each picture must not need more rights at some time
            assert decoder.look(path, Limits()).doubts == []
        assert decoder.pid == pid
