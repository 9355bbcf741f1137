"""Slots: the files in which a process stores its metrics, and which a later process reuses.

The client library makes a set of files for each process id, and they pile up as workers restart.
Here a process takes the first free slot and continues the counters of the process that had it. So
there are as many sets of files as processes ever ran at once, and no counter falls.
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

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the client library's name
MOST = 512  # slots; a process that gets none keeps its metrics in memory
# Bytes that are allocated at once: on a full disk, a write into a hole of a mapped file kills the
# process.
SIZES = {"counter": 256 * 1024, "histogram": 1024 * 1024, "gauge_livesum": 64 * 1024}
log = logging.getLogger("sluice.slots")


def folder() -> Path | None:
    """The folder of the shared metrics; None if each process keeps its own in memory."""
    named = os.environ.get(FOLDER)
    return Path(named) if named else None


def clear(path: Path) -> None:
    """Delete all metrics; call it before any process of the stack runs."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700, parents=True)


def value_class() -> Any:
    """The client library's class for a number: in this process's slot, else in memory."""
    path = folder()
    if path is None:
        return values.MutexValue
    try:
        return values.MultiProcessValue(_named(_take(path)))
    except OSError as error:  # disk full, or not our folder: serving is more important
        log.warning("the metrics of this process are not shared: %s", error)
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
    """Allocate the files at full size; replace one that a crash made unreadable."""
    mark_process_dead(slot, str(path))
    for kind, size in SIZES.items():
        file = path / f"{kind}_{slot}.db"
        try:
            if file.exists():
                list(MmapedDict.read_all_values_from_file(str(file)))
        except Exception as error:
            log.warning("%s is unreadable and is replaced: %s", file.name, error)
            file.unlink()
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(handle, 0, size)
        finally:
            os.close(handle)


def forget_dead(path: Path) -> None:
    """Remove the gauges of processes that ended, such as their open connections."""
    for slot in _free(path):
        mark_process_dead(slot, str(path))


def _free(path: Path) -> Iterator[str]:
    """The free slots, each locked while the caller uses it."""
    for file in path.glob("*.lock"):
        lock = os.open(file, os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield file.stem
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
