"""Shows a stack: its processes and its load, as text or JSON."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from typing import Any

from models.settings import ROOT, Settings, use_settings
from tasks.servers import processes
from tasks.servers.supervisor_client import UNREACHABLE, SupervisedProcess, Supervisor
from tasks.stack.console import NOT_RUNNING, one_line_errors

LOAD_TIMEOUT = 5.0  # seconds for the load: a busy machine needs a few, hung servers never answer
UNKNOWN = {"mode": None, "queue_depth": None, "estimated_wait": None}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/status")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `scripts/status | head` is no error
    with one_line_errors("status"):
        report = status(use_settings(Settings.load()))
    print(json.dumps(report, indent=2) if options.json else text(report))
    if not report["running"]:
        raise SystemExit(NOT_RUNNING)


def status(settings: Settings) -> dict[str, Any]:
    """``running``, ``url``, the load and ``processes[]``; the load is null if it is unknown."""
    snapshot = subprocess.Popen(
        [sys.executable, "-m", "tasks.load.snapshot", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + LOAD_TIMEOUT
    try:
        members = Supervisor(settings, timeout=LOAD_TIMEOUT).members()
    except UNREACHABLE:
        snapshot.kill()
        return {"running": False, "url": settings.url, **UNKNOWN, "processes": _orphans(settings)}
    listed = [_describe(member) for member in members if member.state != "STOPPED"]
    load = _load(snapshot, deadline - time.monotonic())
    return {"running": True, "url": settings.url, **load, "processes": listed}


def _load(snapshot: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
    try:
        output, _ = snapshot.communicate(timeout=max(seconds, 0.1))
        return {**UNKNOWN, **json.loads(output)}
    except (subprocess.TimeoutExpired, ValueError):
        snapshot.kill()
        return {**UNKNOWN, "mode_why": "the load could not be read"}


def _describe(member: SupervisedProcess) -> dict[str, Any]:
    """A process's row: uptime in seconds, memory in bytes with its children."""
    alive = member.pid != 0
    return {
        "name": member.name,
        "state": member.state.lower(),
        "pid": member.pid or None,
        "uptime": max(0, int(time.time()) - member.since) if alive else None,
        "memory": processes.memory(processes.family(member.pid)) if alive else None,
    }


def _orphans(settings: Settings) -> list[dict[str, Any]]:
    """The processes that a crashed supervisor left."""
    return [
        {
            "name": process.name(),
            "state": "orphaned",
            "pid": process.pid,
            "uptime": int(time.time() - process.create_time()),
            "memory": processes.memory([process]),
        }
        for process in processes.of_stack(settings)
    ]


def text(report: dict[str, Any]) -> str:
    """The report as text."""
    rows = [_row("PROCESS", "STATE", "PID", "UPTIME", "MEMORY")]
    for item in report["processes"]:
        uptime = "" if item["uptime"] is None else _duration(item["uptime"])
        memory = "" if item["memory"] is None else f"{item['memory'] / 1024 / 1024:.0f} MB"
        rows.append(_row(item["name"], item["state"], item["pid"] or "", uptime, memory))
    if not report["running"]:
        if not report["processes"]:
            return "Sluice is not running: scripts/up starts it."
        return "\n".join(["The supervisor has crashed: run scripts/up or scripts/down.", *rows])
    total = sum(item["memory"] or 0 for item in report["processes"]) / 1024 / 1024
    head = [
        f"Console  {report['url']}/console/",
        f"Mode     {_known(report['mode'])} {report.get('mode_why') or ''}".rstrip(),
        f"Queue    {_known(report['queue_depth'])} waiting, {_known(report['estimated_wait'])} s",
    ]
    parts = [f"{p['name']} {p['detail']}" for p in report.get("health", []) if p["state"] == "down"]
    down = [f"Down     {'; '.join(parts)}"] if parts else []
    down += [
        f"{part['name']:<8} {part['detail']}"
        for part in report.get("health", [])
        if part["name"] in ("Rules", "Decoder") and part["state"] == "near"
    ]
    scaled = report.get("scaled")
    if scaled:
        ago = _duration(int(time.time() - scaled["at"]))
        change = f"{scaled['before']} → {scaled['after']} workers {ago} ago"
        head.append(f"Scaled   {change}: {scaled['why']}")
    return "\n".join([*head, *down, "", *rows, "", f"{total:.0f} MB in all"])


def _known(value: Any) -> str:
    return "unknown" if value is None else str(value)


def _row(*cells: Any) -> str:
    name, state, pid, uptime, memory = cells
    return f"{name:<14} {state:<10} {pid!s:>8} {uptime:>9} {memory:>9}"


def _duration(seconds: int) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


if __name__ == "__main__":
    main()
