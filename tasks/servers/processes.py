"""The processes of one stack, found in the kernel's list by a variable in their environment."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from models.settings import Settings
from tasks.servers.layout import nginx_binary, redis_binary

GRACE = 8.0  # seconds between the stop signal and SIGKILL


def of_stack(settings: Settings) -> list[psutil.Process]:
    """Every running process of this stack, with the supervisor.

    1. Each inherits SLUICE_STACK, which no shell has, so no other process is included.
    2. The servers may overwrite it with their titles. PostgreSQL's processes are recognised by
       their working folder; nginx and Valkey by their binary and the process group in the run
       folder.
    3. The descendants of these belong to the stack too.
    """
    mark = f"SLUICE_STACK={settings.sluice_home}".encode()
    mine = [p for p in _own_processes() if _has_mark(p, mark) or _is_server(p, settings)]
    by_pid = {p.pid: p for p in mine}
    for process in mine:
        for child in _children(process):
            by_pid.setdefault(child.pid, child)
    by_pid.pop(os.getpid(), None)
    return list(by_pid.values())


def end(settings: Settings) -> int:
    """End the remaining processes of a stack without a supervisor; returns their number."""
    leftovers = of_stack(settings)
    for process in leftovers:
        _send(process, _stop_signal(process))
    deadline = time.monotonic() + GRACE
    while of_stack(settings) and time.monotonic() < deadline:
        time.sleep(0.05)
    while left := of_stack(settings):
        for process in left:
            _send(process, signal.SIGKILL)
        time.sleep(0.05)
    return len(leftovers)


def memory(processes: Iterable[psutil.Process]) -> int:
    """Bytes of the processes together; shared pages count proportionally."""
    total = 0
    for process in processes:
        try:
            total += _proportional(process.pid) or process.memory_info().rss
        except psutil.Error:
            continue
    return total


def family(pid: int) -> list[psutil.Process]:
    """A process and its descendants."""
    try:
        process = psutil.Process(pid)
        return [process, *_children(process)]
    except psutil.Error:
        return []


def _own_processes() -> Iterable[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.uids().real == os.getuid() and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def _has_mark(process: psutil.Process, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _is_server(process: psutil.Process, settings: Settings) -> bool:
    try:
        if process.name() == "postgres":
            return process.cwd() == str((settings.sluice_home / "postgres").resolve())
        names = {str(nginx_binary().resolve()): "nginx", str(redis_binary().resolve()): "redis"}
        name = names.get(process.exe(), "")
        return bool(name) and os.getpgid(process.pid) == _recorded(settings.run / f"{name}.pid")
    except (OSError, psutil.Error):
        return False


def _recorded(path: Path) -> int:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return 0


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _stop_signal(process: psutil.Process) -> int:
    """SIGINT for PostgreSQL, which ends its sessions; on SIGTERM it would wait for them."""
    try:
        return signal.SIGINT if process.name() == "postgres" else signal.SIGTERM
    except psutil.Error:
        return signal.SIGTERM


def _send(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
