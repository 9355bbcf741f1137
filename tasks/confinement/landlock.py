"""Landlock: this process may open, create, change or delete no file, whatever its user may.

Descriptors that are open already keep working. Each version (ABI) of Landlock restricts more:

    1   Linux 5.13   files: open, execute, create, delete; tracing processes outside
    2   Linux 5.19   links and renames between folders
    3   Linux 6.2    truncation
    4   Linux 6.7    TCP: bind and connect
    5   Linux 6.10   ioctl of devices
    6   Linux 6.12   signals to processes outside, abstract Unix sockets
"""

from __future__ import annotations

import ctypes
import os

from tasks.confinement.kernel import address_of, syscall

_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same numbers on every architecture
_VERSION = 1  # flag of _CREATE_RULESET: return the ABI
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # the first ABI that has this many rights
_TCP = 0b11  # bind, connect
_SCOPES = 0b11  # abstract Unix sockets, signals


class _Ruleset(ctypes.Structure):
    _fields_ = [
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    ]


def version() -> int:
    """The ABI of this kernel; raises OSError if it has no Landlock or forbids it."""
    return syscall(_CREATE_RULESET, 0, 0, _VERSION)


def restrict() -> int:
    """Take every right that the kernel's Landlock knows; returns its ABI. Raises OSError.

    It restricts the calling thread and what it starts, so the process must not have other threads.
    """
    if len(os.listdir("/proc/self/task")) > 1:
        raise OSError("the process has other threads already")
    abi = version()
    rights = max(number for first, number in _FILE_RIGHTS.items() if first <= abi)
    ruleset = _Ruleset((1 << rights) - 1, _TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    # A kernel refuses a longer structure than it knows, unless the rest is 0.
    descriptor = syscall(_CREATE_RULESET, address_of(ruleset), ctypes.sizeof(ruleset), 0)
    try:
        syscall(_RESTRICT_SELF, descriptor, 0)  # no rule: nothing is allowed
    finally:
        os.close(descriptor)
    return abi
