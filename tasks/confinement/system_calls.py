"""System calls by name: which a decoder needs, which only an attacker needs, and their numbers."""

from __future__ import annotations

from dataclasses import dataclass

ALLOWED = (
    # its socket, and the descriptors that came through it
    *("read", "readv", "pread64", "lseek", "fstat", "close", "write", "writev"),
    *("recvmsg", "recvfrom", "sendto"),
    # memory without code; `seccomp` allows mmap and mprotect by their arguments
    *("brk", "munmap", "mremap", "madvise"),
    # threads of codecs
    *("futex", "set_robust_list", "rseq", "sched_yield", "sched_getaffinity", "gettid", "getpid"),
    # clocks, and the limit of CPU time
    *("clock_gettime", "clock_getres", "gettimeofday", "nanosleep", "clock_nanosleep"),
    *("setitimer", "getrandom", "restart_syscall"),
    # its own signals, and its end
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "exit", "exit_group"),
)
KILLED = (
    # sockets, and descriptors for others
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"),
    *("sendmsg", "sendmmsg"),
    # programs, and processes; `seccomp` allows clone for threads
    *("execve", "execveat", "fork", "vfork", "unshare", "setns", "memfd_create"),
    # other processes
    *("kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open"),
    *("pidfd_send_signal", "pidfd_getfd", "ptrace", "process_vm_readv", "process_vm_writev"),
    # the kernel's wide doors
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "bpf"),
    *("perf_event_open", "keyctl", "add_key", "request_key", "open_by_handle_at"),
    *("mount", "umount2", "pivot_root", "chroot"),
)

# name: number on x86_64, number on aarch64 (None: it has no such call)
_NUMBERS: dict[str, tuple[int, int | None]] = {
    "accept": (43, 202),
    "accept4": (288, 242),
    "add_key": (248, 217),
    "bind": (49, 200),
    "bpf": (321, 280),
    "brk": (12, 214),
    "chroot": (161, 51),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "clone": (56, 220),
    "clone3": (435, 435),
    "close": (3, 57),
    "connect": (42, 203),
    "execve": (59, 221),
    "execveat": (322, 281),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "fork": (57, None),
    "fstat": (5, 80),
    "futex": (202, 98),
    "getpid": (39, 172),
    "getrandom": (318, 278),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "listen": (50, 201),
    "lseek": (8, 62),
    "madvise": (28, 233),
    "memfd_create": (319, 279),
    "mmap": (9, 222),
    "mount": (165, 40),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "pread64": (17, 67),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "read": (0, 63),
    "readv": (19, 65),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "request_key": (249, 218),
    "restart_syscall": (219, 128),
    "rseq": (334, 293),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigqueueinfo": (129, 138),
    "rt_sigreturn": (15, 139),
    "rt_tgsigqueueinfo": (297, 240),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    "seccomp": (317, 277),
    "sendmmsg": (307, 269),
    "sendmsg": (46, 211),
    "sendto": (44, 206),
    "set_robust_list": (273, 99),
    "setitimer": (38, 103),
    "setns": (308, 268),
    "sigaltstack": (131, 132),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vfork": (58, None),
    "write": (1, 64),
    "writev": (20, 66),
}


@dataclass(frozen=True)
class Architecture:
    """A machine's numbers of system calls, and how the kernel names it to a filter."""

    audit: int
    numbers: dict[str, int]
    has_x32: bool = False


ARCHITECTURES = {
    "x86_64": Architecture(
        0xC000_003E, {name: first for name, (first, _) in _NUMBERS.items()}, has_x32=True
    ),
    "aarch64": Architecture(
        0xC000_00B7,
        {name: second for name, (_, second) in _NUMBERS.items() if second is not None},
    ),
}
