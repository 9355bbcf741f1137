"""The decoder's program as on a kernel that lacks a part of the confinement.

``python -m tests.support.older_kernels PART PROGRAM MEGABYTES`` makes the kernel answer as one
without that part does (``landlock``, ``seccomp``), by a filter of system calls like that of a
container, and then runs the program.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import runpy
import struct
import sys
from pathlib import Path

from tasks.confinement import kernel, landlock, seccomp

LANDLOCK = range(444, 447)


def deny(part: str) -> None:
    """From now on the kernel has no such part, for this process and what it starts."""
    machine = seccomp.architecture()
    numbers = [*LANDLOCK] if part == "landlock" else [machine.numbers["seccomp"]]
    answer = errno.ENOSYS if part == "landlock" else errno.EINVAL
    lines = [(0x20, 0, 0, 0)]
    for number in numbers:
        lines += [(0x15, 0, 1, number), (0x06, 0, 0, seccomp.FAIL | answer)]
    lines.append((0x06, 0, 0, seccomp.ALLOW))
    code = b"".join(struct.pack("<HBBI", *line) for line in lines)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = seccomp._Program(len(lines), ctypes.addressof(buffer))
    kernel.forbid_new_privileges()
    kernel.syscall(machine.numbers["seccomp"], 1, 0, kernel.address_of(program))


def has_landlock() -> bool:
    try:
        return landlock.version() > 0
    except OSError:
        return False


def has_seccomp() -> bool:
    """Whether this machine can have the filter; a container may forbid it."""
    status = Path("/proc/self/status").read_text()
    return "Seccomp:" in status and platform.machine() in seccomp.ARCHITECTURES


if __name__ == "__main__":
    deny(sys.argv[1])
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
