"""Containment: what a picture may do to its decoder, and that nothing else suffers from it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from PIL import Image

from models.settings import ROOT, Settings
from tasks.hash_bank.hashing import pdq
from tasks.images.decode import read, save_thumbnail
from tasks.images.decoder import Budget, Decoded, Decoder
from tasks.images.limits import Limits, PictureError
from tests.support.api import PICTURES, Api, content, eventually, unique
from tests.support.attacker import REFUSED, Attacker
from tests.support.hostile import (
    BAD,
    HARMLESS,
    HOSTILE,
    UNREADABLE,
    Hostile,
    animation,
)
from tests.support.older_kernels import has_seccomp
from tests.support.stack import Stack, running
from tests.support.tried import tried

SAFE = PICTURES / "safe_astronaut.jpg"
SLOW = "jpeg-of-80-scans-of-39-megapixels"  # two seconds of C code
LARGE = "png-39-megapixels-of-nothing"
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Puts a hostile file where a decoder can read it."""

    def write(name: str) -> Path:
        path = tmp_path / name
        path.write_bytes(HOSTILE[name].data())
        return path

    return write


@pytest.fixture
def decoder() -> Iterator[Callable[..., Decoder]]:
    """Makes decoders with settings of their own."""
    made: list[Decoder] = []

    def make(**settings: Any) -> Decoder:
        made.append(Decoder(Settings(**settings)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack of these tests: damaged look-alikes of the fixtures would flag others' uploads."""
    with running() as stack:
        yield stack


@pytest.fixture(scope="module")
def api(own: Stack) -> Api:
    """The API of that stack."""
    return Api(own.url, own.json("client", "create", "Hostile", "--json")["key"])


def given_up(decoder: Decoder, path: Path, **more: Any) -> str:
    with pytest.raises(PictureError) as caught:
        decoder.look(path, Limits(), **more)
    assert str(caught.value).endswith(".")
    return caught.value.code


def looked(decoder: Decoder) -> Decoded:
    """A picture that is whole, decoded as ever."""
    picture = decoder.look(SAFE, Limits())
    assert (picture.width, len(picture.views)) == (512, 1)
    return picture


def strike(decoder: Decoder, path: Path, number: int, times: int = 1) -> Any:
    """Send a signal to the child while it is at a slow picture; what comes of the picture."""
    with ThreadPoolExecutor(1) as pool:
        future, struck = pool.submit(decoder.look, path, Limits()), set()
        while len(struck) < times:
            pid = decoder.pid
            if pid and pid not in struck and is_at_work(pid):
                os.kill(pid, number)
                struck.add(pid)
            assert not future.done(), "too quick to be struck"
        return future.exception() or future.result()


def is_at_work(pid: int) -> bool:
    """Whether a decoder has begun: a process that only started has used less."""
    try:
        return psutil.Process(pid).cpu_times().user > 0.4
    except psutil.Error:
        return False


@pytest.mark.parametrize(
    "name", ["reject_a.jpg", "reject_c_exif6.jpg", "reject_a_palette.png", "reject_a.webp",
             "reject_a_cmyk.jpg", "safe_coffee_11mp.jpg", "animated_bad_frame_17.gif"]
)  # fmt: skip
def test_the_child_gives_what_decoding_here_gives(decoder, name: str, tmp_path: Path) -> None:
    here, there = read(PICTURES / name, Limits()), decoder().look(PICTURES / name, Limits())
    for fact in ("format", "width", "height", "frames", "notes", "doubts"):
        assert getattr(here, fact) == getattr(there, fact)
    assert list(here.sampled) == there.sampled
    assert [view.index for view in here.views] == there.views.frames
    assert [v.image.tobytes() for v in here.views] == [view.tobytes() for view in there.views]
    assert pdq(here.preview) == pdq(there.grey)
    save_thumbnail(here.preview, tmp_path / "thumb")
    drawn = decoder().draw(PICTURES / name, {0, 999}, Limits())
    assert drawn == {0: (tmp_path / "thumb").read_bytes()}


def test_a_refusal_is_the_same_through_the_child(decoder, write: Write) -> None:
    own = decoder()
    assert given_up(own, write("png-bomb")) == "too_large"
    assert given_up(own, write("svg")) == "unsupported"
    pid = own.pid
    assert given_up(own, write("cut-webp-60%")) == "damaged"
    assert own.pid == pid  # none of these cost the child


def test_the_deadline_ends_c_code(decoder, write: Write) -> None:
    own, path = decoder(decode_timeout=0.6), write(SLOW)
    looked(own)
    pid = own.pid
    assert given_up(own, path) == "too_slow"
    looked(own)
    assert own.pid != pid


def test_the_deadline_holds_for_a_child_that_does_nothing(decoder) -> None:
    own = decoder(decode_timeout=0.6)
    looked(own)
    os.kill(own.pid, signal.SIGSTOP)
    assert given_up(own, SAFE) == "too_slow"
    looked(own)


def test_an_animation_is_looked_at_as_far_as_its_time_goes(decoder, write: Write) -> None:
    path = write("gif-of-200-frames-of-39-megapixels")
    picture = decoder(decode_timeout=20.0).look(path, Limits(max_total_pixels=10**12))
    assert 0 < len(picture.sampled) < 200
    assert "decoded in time" in picture.doubts[0]


def test_a_worker_does_not_hold_the_views_of_a_long_animation(decoder, tmp_path: Path) -> None:
    """200 frames that differ under alpha, three views each: 120 MB that stay on the disk."""
    frames = [Image.effect_noise((32, 32), 90).convert("RGBA") for _ in range(200)]
    for number, frame in enumerate(frames):
        frame.putalpha(frames[number - 1].getchannel("R"))
    path, own = tmp_path / "long.webp", decoder(sluice_home=tmp_path, decode_timeout=60.0)
    path.write_bytes(animation(frames, "WEBP", lossless=True, exact=True))
    own.look(SAFE, Limits())
    before, here = psutil.Process().memory_info().rss, read(path, Limits()).views
    pixels = [(view.index, view.image.tobytes()) for view in here]
    del here
    held = psutil.Process().memory_info().rss
    picture = own.look(path, Limits())
    assert len(picture.views) == 600
    assert psutil.Process().memory_info().rss - held < 20_000_000 < held - before
    there = zip(picture.views.frames, (view.tobytes() for view in picture.views), strict=True)
    assert all(one == other for one, other in zip(pixels, there, strict=True))


def test_memory_is_bounded(decoder, write: Write) -> None:
    own, path = decoder(decode_memory=96), write(LARGE)
    before = psutil.Process().memory_info().rss
    assert given_up(own, path) == "too_hungry"
    assert psutil.Process().memory_info().rss - before < 50_000_000
    looked(own)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT])
def test_a_crash_costs_that_picture_only(decoder, write: Write, number: int) -> None:
    own = decoder(decode_timeout=60.0)
    outcome = strike(own, write(SLOW), number)
    assert outcome.code == "crashed"
    assert signal.Signals(number).name in str(outcome)
    looked(own)


def test_a_child_that_is_killed_from_outside_is_not_the_pictures_fault(
    decoder, write: Write
) -> None:
    own, path = decoder(decode_timeout=60.0), write(SLOW)
    assert strike(own, path, signal.SIGKILL).width == 6300
    assert strike(own, path, signal.SIGKILL, times=2).code == "crashed"
    looked(own)


def test_a_child_that_was_killed_while_idle_costs_nothing(decoder) -> None:
    own = decoder()
    looked(own)
    os.kill(own.pid, signal.SIGKILL)
    looked(own)


def test_what_was_given_up_is_not_read_again(decoder, write: Write) -> None:
    own, path = decoder(decode_timeout=0.3), write(SLOW)
    assert given_up(own, path, digest=b"its bytes") == "too_slow"
    path.unlink()
    assert given_up(own, path, digest=b"its bytes") == "too_slow"
    with pytest.raises(FileNotFoundError):
        own.look(path, Limits(), digest=b"other bytes")


def test_the_pictures_of_a_submission_share_their_time() -> None:
    budget, taken = Budget(3.0), []
    for _ in range(5):
        taken.append(budget.seconds())
        budget.spend(taken[-1])
    assert taken == [3.0, 3.0, 0.5, 0.5, 0.5]
    for _ in range(5):  # quick ones have all the time that they need
        taken.append(Budget(3.0).seconds())
    assert taken[-1] == 3.0


def test_the_child_holds_no_secret_and_may_not_write(decoder, monkeypatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql:///not-for-a-child")
    own = decoder(decode_memory=200)
    looked(own)
    child = Path(f"/proc/{own.pid}")
    assert b"not-for-a-child" not in (child / "environ").read_bytes()
    limits = (child / "limits").read_text()
    assert f"Max data size             {200 << 20} " in limits
    assert "Max file size             0 " in limits
    assert "Max core file size        0 " in limits
    open_files = [os.readlink(link) for link in (child / "fd").iterdir()]
    assert len(open_files) == 3  # its socket, nothing, and a pipe of its own for errors
    assert "/dev/null" in open_files
    assert {kind.partition(":")[0] for kind in open_files} == {"socket", "/dev/null", "pipe"}
    ours = {os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)}
    assert not ours & {kind for kind in open_files if kind != "/dev/null"}
    assert int((child / "oom_score_adj").read_text()) == 1000


def test_the_child_goes_with_its_worker() -> None:
    program = (
        "import time; from models.settings import Settings\n"
        "from tasks.images.decoder import Decoder\n"
        "own = Decoder(Settings()); own.start(); print(own.pid, flush=True); time.sleep(60)"
    )
    worker = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert worker.stdout
    child = int(worker.stdout.readline())
    worker.kill()
    worker.wait()
    eventually(lambda: not psutil.pid_exists(child))


def ending(api: Api, one: Hostile) -> tuple[int, str]:
    """What becomes of an upload: (status code, verdict)."""
    reply = api.submit(one.data(), title=one.name)
    verdict = ""
    if reply.status_code in (200, 202):
        told = reply.json()
        if not told.get("verdict"):
            told = api.status(told["job_id"], wait=20)
        verdict = told["verdict"] or told["status"]
    return reply.status_code, verdict


def test_every_hostile_file_ends_and_none_is_approved(api: Api, own: Stack) -> None:
    """Through the whole stack, one after the other, while its health is asked for."""
    answers: list[int] = []
    over = threading.Event()

    def ask_health() -> None:
        while not over.wait(0.05):
            answers.append(requests.get(f"{own.url}/healthz", timeout=60).status_code)

    asking = threading.Thread(target=ask_health)
    asking.start()
    try:
        ends = {one.name: ending(api, one) for one in HOSTILE.values()}
    finally:
        over.set()
        asking.join()
    tried(len(ends))
    wrong = {}
    for name, (code, verdict) in ends.items():
        fine = 400 <= code < 500 or verdict in ("rejected", "review")
        fine = fine or (verdict == "approved" and HOSTILE[name].holds == HARMLESS)
        if not fine:
            wrong[name] = (code, verdict)
    assert not wrong
    assert {one.holds for one in HOSTILE.values()} == {HARMLESS, BAD, UNREADABLE}
    assert len(ends) > 150
    assert set(answers) == {200} and len(answers) > 100  # health did not wait for pictures
    gave_up = "SELECT count(*) FROM submission WHERE status = 'quarantined' AND title = ANY(%s)"
    assert own.sql(gave_up, list(ends)) == [(0,)]


@pytest.mark.skipif(not has_seccomp(), reason="no seccomp: readiness says so")
def test_the_decoder_of_a_running_stack_reaches_nothing_of_it(
    own: Stack, api: Api, tmp_path: Path
) -> None:
    pids, home = own.pids(), own.home
    worker = next(pid for name, pid in pids.items() if "worker" in name)
    files = [path for path in home.rglob("*") if path.is_file() and "postgres" not in path.parts]
    files += [Path(f"/proc/{pid}/{name}") for pid in pids.values() for name in ("environ", "mem")]
    sockets = [path for path in (home / "run").iterdir() if path.is_socket()]
    assert {"session", "seal"} <= {path.name for path in files}
    assert {"redis.sock", ".s.PGSQL.5432"} <= {path.name for path in sockets}
    attacker = Attacker(tmp_path, {"worker": worker})
    try:
        aims = [("read_a_file", {"path": str(path)}) for path in files]
        aims += [("connect_to_a_unix_socket", {"socket": str(path)}) for path in sockets]
        aims += [
            (name, {"folder": str(folder)})
            for name in ("create_a_file", "list_a_folder")
            for folder in (home, home / "media", home / "secrets", "/tmp")
        ]
        aims += [(f"{verb}_the_worker", {}) for verb in ("signal", "stop", "limit")]
        tried(len(aims))
        gained = [(name, aim) for name, aim in aims if attacker(name, **aim) not in REFUSED]
    finally:
        attacker.child.end()
    assert not gained
    assert api.decided(content("safe_coffee.jpg"))["verdict"] == "approved"


def test_a_picture_that_ends_its_decoder_goes_to_a_person_and_the_others_are_scored(
    api: Api, own: Stack
) -> None:
    workers = [psutil.Process(pid) for name, pid in own.pids().items() if "worker" in name]
    decoders = [child for worker in workers for child in worker.children()]
    assert len(decoders) == len(workers)
    for decoder in decoders:
        decoder.suspend()
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(api.submit, unique("safe_chelsea.jpg"), unique("safe_rocket.jpg"))
        time.sleep(0.5)  # it has the picture, or will be found dead with it
        for decoder in decoders:
            decoder.send_signal(signal.SIGSEGV)
            decoder.resume()
        told = sent.result().json()
    told = api.status(told["job_id"], wait=20)
    assert told["verdict"] == "review"
    [reason] = told["reasons"]
    assert "SIGSEGV" in reason["explanation"] and reason["image"] == 0
    rows = own.sql(
        "SELECT score IS NULL FROM image WHERE submission_id = %s ORDER BY position", told["job_id"]
    )
    assert rows == [(True,), (False,)]
    [(attempts,)] = own.sql("SELECT attempts FROM submission WHERE id = %s", told["job_id"])
    assert attempts == 1
    assert all(worker.is_running() for worker in workers)
    assert api.decided(content("safe_coffee.jpg"))["verdict"] == "approved"
