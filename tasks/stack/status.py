"""Shows a stack: its processes and its load, as text or JSON."""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from models.settings import ROOT, Settings
from tasks.servers import layout, processes
from tasks.servers.supervisor_client import (
    UNREACHABLE,
    SupervisedProcess,
    Supervisor,
    UnixConnection,
)
from tasks.stack.console import end_with_reader, one_line_errors, valid_settings
from tasks.stack.steps import NOT_RUNNING

TIMEOUT = 2.5  # seconds for the supervisor and the web instances, which are asked at once
READ_TIMEOUT = 10.0  # seconds to read the load in a new process, where no web instance runs
UNKNOWN = {"mode": None, "queue_depth": None, "estimated_wait": None}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/status")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with one_line_errors("status"):
        report = status(valid_settings())
    end_with_reader()
    print(json.dumps(report, indent=2) if options.json else text(report))
    if not report["running"]:
        raise SystemExit(NOT_RUNNING)


def status(settings: Settings) -> dict[str, Any]:
    """``running``, ``url``, the load and ``processes[]``; the load is null if it is unknown.

    The load is what a web instance says: a new process would have to import everything and to
    connect to all servers first, which takes seconds on a busy machine.
    """
    with ThreadPoolExecutor(settings.web_instances + 1) as threads:
        asked = [
            threads.submit(_ask, settings.web_address(number))
            for number in range(settings.web_instances)
        ]
        try:
            members = Supervisor(settings, timeout=TIMEOUT).members()
        except UNREACHABLE:
            members = None
        answers = [answer.result() for answer in asked]
    if members is None:
        return {
            "running": False,
            "url": layout.running_url(settings),
            **UNKNOWN,
            "processes": _orphans(settings),
        }
    listed = [_describe(member) for member in members if member.state != "STOPPED"]
    load = next((answer for answer in answers if answer), None) or _otherwise(members)
    return {
        "running": True,
        "url": layout.running_url(settings),
        **UNKNOWN,
        **load,
        "processes": listed,
    }


def _ask(address: str) -> dict[str, Any]:
    """The load as a web instance reports it; empty if it does not respond."""
    kind, _, path = address.partition(":")
    unix = kind == "unix"
    connection = (
        UnixConnection(Path(path), TIMEOUT)
        if unix
        else http.client.HTTPConnection(address, timeout=TIMEOUT)
    )
    try:
        connection.request("GET", "/readyz?load")
        load: dict[str, Any] = json.load(connection.getresponse())["load"]
        return load
    except (*UNREACHABLE, KeyError, ValueError):
        return {}
    finally:
        connection.close()


def _otherwise(members: list[SupervisedProcess]) -> dict[str, Any]:
    """The load, or why it is unknown, if no web instance reports it."""
    if any(member.group == "web" and member.pid for member in members):
        return {"mode_why": f"no web instance responded within {TIMEOUT:g} s"}
    try:
        read = subprocess.run(
            [sys.executable, "-m", "tasks.load.snapshot", "--json"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=READ_TIMEOUT,
        )
        load: dict[str, Any] = json.loads(read.stdout)
        return load
    except (subprocess.TimeoutExpired, ValueError):
        return {"mode_why": "the load could not be read"}


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
    if report.get("webhooks_held"):
        down.append("Webhooks are held: HOLD_WEBHOOKS is on")
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
