"""Calls of the kernel that the standard library does not have, by ctypes."""

from __future__ import annotations

import ctypes
import os

_PR_SET_NO_NEW_PRIVS = 38


def syscall(number: int, *arguments: int | ctypes.c_void_p) -> int:
    """Make a system call; raises OSError. Integers are passed as C longs."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    typed = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *typed))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def forbid_new_privileges() -> None:
    """No program that this process starts gains rights; Landlock and seccomp require it."""
    libc = ctypes.CDLL(None, use_errno=True)
    one, zero = ctypes.c_ulong(1), ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, one, zero, zero, zero):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def address_of(structure: ctypes.Structure) -> ctypes.c_void_p:
    """A pointer to this structure, which must stay referenced during the call."""
    return ctypes.c_void_p(ctypes.addressof(structure))
