"""Slots: where a process keeps its measures, in files that the next process goes on with.

Prometheus' own way is a set of files for each process id, which pile up as workers come and go.
Here a process takes the first slot that nobody holds, and goes on counting where the dead one
stopped: as many sets of files as processes ever ran at once, and no counter goes back.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import mark_process_dead

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the client library's own name for it
MOST = 512  # slots; a process that finds none keeps its measures to itself
# Bytes that are taken up at once: writing into a hole of a mapped file ends the process where the
# disk is full.
SIZES = {"counter": 256 * 1024, "histogram": 1024 * 1024, "gauge_livesum": 64 * 1024}
log = logging.getLogger("sluice.slots")


def folder() -> Path | None:
    """Where the processes keep their measures; None where each keeps its own."""
    named = os.environ.get(FOLDER)
    return Path(named) if named else None


def clear(path: Path) -> None:
    """Begin anew, before any process of the stack runs."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700, parents=True)


def value_class() -> Any:
    """How the client library keeps a number: in this process's slot, else in memory."""
    path = folder()
    if path is None:
        return values.MutexValue
    try:
        return values.MultiProcessValue(_named(_take(path)))
    except OSError as error:  # the disk is full, or the folder is not ours: serving goes before
        log.warning("this process's measures are its own: %s", error)
        return values.MutexValue


def _named(slot: str) -> Callable[[], str]:
    return lambda: slot


def _take(path: Path) -> str:
    """Hold the first free slot until this process ends, however it ends; raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(MOST):
        slot = f"{number:03}"
        lock = os.open(path / f"{slot}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        _prepare(path, slot)
        return slot
    raise OSError(f"all {MOST} slots of {path} are taken")


def _prepare(path: Path, slot: str) -> None:
    """Files of their full size; one that a crash left unreadable begins anew."""
    mark_process_dead(slot, str(path))
    for kind, size in SIZES.items():
        file = path / f"{kind}_{slot}.db"
        try:
            if file.exists():
                list(MmapedDict.read_all_values_from_file(str(file)))
        except Exception as error:
            log.warning("%s is not to be read: %s", file.name, error)
            file.unlink()
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(handle, 0, size)
        finally:
            os.close(handle)


def forget_dead(path: Path) -> None:
    """Remove what only a living process can say, such as its connections, of those that died."""
    for slot in _free(path):
        mark_process_dead(slot, str(path))


def _free(path: Path) -> Iterator[str]:
    """Slots that nobody holds, each held here while it is looked at."""
    for file in path.glob("*.lock"):
        lock = os.open(file, os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield file.stem
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
