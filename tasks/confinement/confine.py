"""Confine this process for good: two independent layers, as far as the kernel has them.

seccomp takes away the system calls (sockets, programs, processes, opening files), Landlock the
rights on files, TCP and signals. Each alone keeps a decoder from the server's files. Everything
that the process will need must be imported and open before.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from tasks.confinement import kernel, landlock, seccomp

MAX_DESCRIPTORS = 65_536


@dataclass
class Confinement:
    """What confines the process: Landlock's ABI (0: none), seccomp; and what is missing."""

    landlock: int = 0
    seccomp: bool = False
    missing: list[str] = field(default_factory=list)


def confine() -> Confinement:
    """Take this process's rights; what the kernel lacks is reported, not raised."""
    got = Confinement()
    try:
        kernel.forbid_new_privileges()
    except OSError as error:
        got.missing.append(f"no_new_privs: {error.strerror or error}")
        return got
    try:
        got.landlock = landlock.restrict()
    except OSError as error:
        got.missing.append(f"Landlock: {error.strerror or error}")
    try:
        seccomp.restrict()
        got.seccomp = True
    except OSError as error:
        got.missing.append(f"seccomp: {error.strerror or error}")
    return got


def close_descriptors() -> None:
    """Close all but the standard ones."""
    os.closerange(3, MAX_DESCRIPTORS)
