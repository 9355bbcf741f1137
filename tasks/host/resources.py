"""The share of this machine's memory and disk that is in use, in percent.

A container has less memory than its machine. If a control group (cgroup v2 or v1) sets a limit, the
larger of the two shares counts. The inactive part of the page cache does not count as used, because
the kernel frees it on demand.
"""

from __future__ import annotations

from pathlib import Path

import psutil

GROUPS = (  # limit, use, and the name of the inactive page cache in memory.stat
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)
CGROUP = Path("/sys/fs/cgroup")


def memory(root: Path = CGROUP) -> float:
    """Percent of the memory in use: the machine's, or the container's if larger."""
    machine = psutil.virtual_memory()
    return max(float(machine.percent), _in_group(root, machine.total))


def disk(*folders: Path) -> float:
    """Percent in use of the fullest of the folders' disks."""
    return max(_used(folder) for folder in folders)


def _used(folder: Path) -> float:
    """Percent in use of a folder's disk; 0 if the folder cannot be read."""
    try:
        return float(psutil.disk_usage(str(folder)).percent)
    except OSError:
        return 0.0


def _in_group(root: Path, total: int) -> float:
    for limit_name, used_name, cache_name in GROUPS:
        try:
            limit = int((root / limit_name).read_text())
            used = int((root / used_name).read_text())
            stat = (root / limit_name).with_name("memory.stat").read_text()
        except (OSError, ValueError):  # no group, or no limit ("max")
            continue
        if not 0 < limit < total:
            return 0.0
        fields = (line.split() for line in stat.splitlines())
        cache = next((int(value) for name, value in fields if name == cache_name), 0)
        return round(100 * max(used - cache, 0) / limit, 1)
    return 0.0
