"""seccomp: the system calls that this process may make from now on, as a BPF program.

What a decoder needs is allowed. What only an attacker needs (sockets, programs, other processes)
kills the process with SIGSYS, so that it is seen. Every other call fails with EPERM: a library may
try one that it can do without.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Sequence

from tasks.confinement.kernel import address_of, syscall
from tasks.confinement.system_calls import ALLOWED, ARCHITECTURES, KILLED, Architecture

_SET_FILTER, _ALL_THREADS = 1, 1
_X32 = 0x4000_0000  # numbers from here on are the x32 ABI's: a second table of the same calls
# seccomp_data: number, architecture, instruction pointer, six arguments of 64 bits
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT = 0x20, 0x15, 0x35, 0x45  # BPF instructions
_AND, _RETURN = 0x54, 0x06
ALLOW, KILL, FAIL = 0x7FFF_0000, 0x8000_0000, 0x0005_0000
_EPERM, _ENOSYS = FAIL | errno.EPERM, FAIL | errno.ENOSYS
_PROT_EXEC = 4
_THREAD = 0x0001_0000 | 0x0000_0800 | 0x0000_0100  # CLONE_THREAD, CLONE_SIGHAND, CLONE_VM
_SET_NAME = 15  # of prctl
Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


def architecture() -> Architecture:
    """This machine's; raises OSError if its system calls are not listed here."""
    found = ARCHITECTURES.get(platform.machine())
    if found is None or sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise OSError(f"the system calls of {platform.machine()} are not listed")
    return found


def restrict() -> None:
    """Install the filter for good, for all threads of this process; raises OSError."""
    machine = architecture()
    code = assemble(machine, os.getpid())
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    syscall(machine.numbers["seccomp"], _SET_FILTER, _ALL_THREADS, address_of(program))


def assemble(machine: Architecture, own_pid: int) -> bytes:
    """The filter as BPF code; `own_pid` is the only process that may get a signal."""
    lines: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine.has_x32:
        lines += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, KILL)]
    numbers = machine.numbers
    for names, action in ((ALLOWED, ALLOW), (KILLED, KILL)):
        for name in names:
            if name in numbers:
                lines += [(_EQUAL, 0, 1, numbers[name]), (_RETURN, 0, 0, action)]
    for name, block in _by_argument(own_pid).items():
        lines += [(_EQUAL, 0, len(block), numbers[name]), *block]
    lines.append((_RETURN, 0, 0, _EPERM))
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


def _by_argument(own_pid: int) -> dict[str, Sequence[Instruction]]:
    """Calls that depend on an argument. The kernel ignores the upper half of each of these."""
    no_code = (_argument(2), (_ANY_BIT, 0, 1, _PROT_EXEC), (_RETURN, 0, 0, _EPERM), _ALLOW)
    thread = (
        _argument(0),
        (_AND, 0, 0, _THREAD),
        (_EQUAL, 1, 0, _THREAD),
        (_RETURN, 0, 0, KILL),
        _ALLOW,
    )
    to_itself = (_argument(0), (_EQUAL, 1, 0, own_pid), (_RETURN, 0, 0, KILL), _ALLOW)
    name = (_argument(0), (_EQUAL, 1, 0, _SET_NAME), (_RETURN, 0, 0, _EPERM), _ALLOW)
    return {
        "mmap": no_code,
        "mprotect": no_code,
        "clone": thread,
        # Its flags are in memory, which a filter cannot read; libraries then use clone.
        "clone3": ((_RETURN, 0, 0, _ENOSYS),),
        "tgkill": to_itself,  # abort() of a library
        "prctl": name,  # names of threads
    }


_ALLOW: Instruction = (_RETURN, 0, 0, ALLOW)


def _argument(index: int) -> Instruction:
    """Load the lower half of an argument."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index)
