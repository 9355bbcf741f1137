"""Attacks from inside the decoder's process: ``python -m tests.support.decoder_attacks MEGABYTES``.

It gives up its rights as the decoder does, with the decoder's own code, and then does what a
hostile picture would do that has taken it over. A request names the attack and what it aims at;
the response says whether it was refused, or what it gained. Each attack has a process of its own,
a copy from before the rights are given up, as many end by a signal; a second response has the exit
code.
"""

from __future__ import annotations

import array
import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from tasks.confinement.kernel import syscall
from tasks.confinement.system_calls import ARCHITECTURES
from tasks.images import decoder_process, decoder_protocol
from tasks.images.open_untrusted import preload

Aim = dict[str, Any]  # worker (a pid), path, folder, socket: what the test names
ATTACKS: dict[str, Callable[[Aim, int], object]] = {}
CALLS = ARCHITECTURES[platform.machine()].numbers if platform.machine() in ARCHITECTURES else {}
ARM = platform.machine() == "aarch64"
PAGE = 4096
CLOSED = 3  # exit code: there is no further request


def attack(function: Callable[[Aim, int], object]) -> Callable[[Aim, int], object]:
    """Register an attack by its name."""
    ATTACKS[function.__name__] = function
    return function


def main() -> None:
    """Start one process after the other, until the worker closes the socket."""
    preload()
    sock = socket.socket(fileno=0)
    while True:
        pid = os.fork()
        if not pid:
            os._exit(_attack_once(decoder_process.give_up_rights(int(sys.argv[1]))))
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == CLOSED:
            return
        decoder_protocol.send_response(sock, {"ended": code})


def _attack_once(sock: socket.socket) -> int:
    """Answer one request; returns the exit code."""
    received = decoder_protocol.receive_request(sock)
    if received is None:
        return CLOSED
    aim, picture = received
    try:
        outcome = f"gained {ATTACKS[aim['attack']](aim, picture)!r}"
    except OSError as error:
        outcome = errno.errorcode.get(error.errno or 0, str(error))
    except ValueError as error:  # as `resource` reports EPERM
        outcome = f"EPERM: {error}"
    decoder_protocol.send_response(sock, {"outcome": outcome})
    return 0


# Files


@attack
def read_a_file(aim: Aim, picture: int) -> object:
    return os.read(os.open(aim["path"], os.O_RDONLY), 100)


@attack
def list_a_folder(aim: Aim, picture: int) -> object:
    return os.listdir(aim["folder"])


@attack
def create_a_file(aim: Aim, picture: int) -> object:
    return os.open(f"{aim['folder']}/planted", os.O_WRONLY | os.O_CREAT, 0o600)


@attack
def create_an_unnamed_file(aim: Aim, picture: int) -> object:
    return os.open(aim["folder"], os.O_TMPFILE | os.O_RDWR, 0o600)


@attack
def truncate_a_file(aim: Aim, picture: int) -> object:
    return os.truncate(aim["path"], 0)


@attack
def delete_a_file(aim: Aim, picture: int) -> object:
    return os.unlink(aim["path"])


@attack
def rename_a_file(aim: Aim, picture: int) -> object:
    return os.rename(aim["path"], aim["path"] + ".gone")


@attack
def link_a_file(aim: Aim, picture: int) -> object:
    return os.link(aim["path"], f"{aim['folder']}/link")


@attack
def make_a_symbolic_link(aim: Aim, picture: int) -> object:
    return os.symlink(aim["path"], f"{aim['folder']}/link")


@attack
def make_a_folder(aim: Aim, picture: int) -> object:
    return os.mkdir(f"{aim['folder']}/planted")


@attack
def make_a_fifo(aim: Aim, picture: int) -> object:
    return os.mkfifo(f"{aim['folder']}/planted")


@attack
def change_its_mode(aim: Aim, picture: int) -> object:
    return os.chmod(aim["path"], 0o777)


@attack
def change_its_times(aim: Aim, picture: int) -> object:
    return os.utime(aim["path"])


@attack
def learn_that_a_file_exists(aim: Aim, picture: int) -> object:
    return os.stat(aim["path"])


@attack
def read_a_link(aim: Aim, picture: int) -> object:
    return os.readlink(f"/proc/self/fd/{picture}")


@attack
def enter_a_folder(aim: Aim, picture: int) -> object:
    return os.chdir(aim["folder"])


@attack
def open_beside_the_picture(aim: Aim, picture: int) -> object:
    return os.open("..", os.O_RDONLY, dir_fd=picture)


@attack
def open_the_picture_for_writing(aim: Aim, picture: int) -> object:
    return os.open(f"/proc/self/fd/{picture}", os.O_RDWR)


@attack
def write_to_the_picture(aim: Aim, picture: int) -> object:
    return os.write(picture, b"other bytes")


@attack
def truncate_the_picture(aim: Aim, picture: int) -> object:
    return os.ftruncate(picture, 0)


@attack
def change_the_pictures_mode(aim: Aim, picture: int) -> object:
    return os.fchmod(picture, 0o777)


@attack
def change_the_pictures_times(aim: Aim, picture: int) -> object:
    return os.utime(picture)


@attack
def mark_the_picture(aim: Aim, picture: int) -> object:
    return os.setxattr(picture, "user.mark", b"1")


@attack
def lock_the_picture(aim: Aim, picture: int) -> object:
    import fcntl

    return fcntl.flock(picture, fcntl.LOCK_EX | fcntl.LOCK_NB)


@attack
def open_by_handle(aim: Aim, picture: int) -> object:
    return syscall(CALLS["open_by_handle_at"], picture, 0, 0)


@attack
def open_another_way(aim: Aim, picture: int) -> object:
    path = ctypes.c_char_p(os.fsencode(aim["path"]))
    how = (ctypes.c_uint64 * 3)()
    return syscall(437, -100, ctypes.cast(path, ctypes.c_void_p), _pointer(how), 24)  # openat2


@attack
def use_an_inherited_descriptor(aim: Aim, picture: int) -> object:
    """Any descriptor above the picture's, or one below it that is not a standard one."""
    extra = []
    for number in range(3, 1024):
        try:
            os.lseek(number, 0, os.SEEK_CUR)
        except OSError as error:
            if error.errno != errno.EBADF:
                extra.append(number)
        else:
            extra.append(number)
    if extra == [picture]:
        raise OSError(errno.EBADF, "none")
    return extra


@attack
def read_the_environment(aim: Aim, picture: int) -> object:
    """What the environment tells is not secret."""
    extra = os.environ.keys() - {"PATH", "LANG", "SLUICE_STACK", "VIRTUAL_ENV", "LC_CTYPE"}
    extra -= {name for name in extra if name.startswith("MALLOC_")}
    if not extra:
        raise OSError(errno.ENOENT, "nothing")
    return sorted(extra)


# Sockets


@attack
def make_an_internet_socket(aim: Aim, picture: int) -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect(("127.0.0.1", 1))


@attack
def make_a_datagram_socket(aim: Aim, picture: int) -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"secret", ("127.0.0.1", 53))


@attack
def make_an_ipv6_socket(aim: Aim, picture: int) -> object:
    return socket.socket(socket.AF_INET6, socket.SOCK_STREAM).connect(("::1", 1))


@attack
def connect_to_a_unix_socket(aim: Aim, picture: int) -> object:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(aim["socket"])


@attack
def connect_its_own_socket_elsewhere(aim: Aim, picture: int) -> object:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=0).connect(aim["socket"])


@attack
def connect_to_an_abstract_socket(aim: Aim, picture: int) -> object:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect("\0" + aim["abstract"])


@attack
def make_a_netlink_socket(aim: Aim, picture: int) -> object:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


@attack
def make_a_socket_pair(aim: Aim, picture: int) -> object:
    return socket.socketpair()


@attack
def send_a_descriptor(aim: Aim, picture: int) -> object:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [picture]))]
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=0).sendmsg([b"x"], rights)


# Programs and processes


@attack
def fork(aim: Aim, picture: int) -> object:
    return os.fork() or os._exit(0)


@attack
def run_a_program(aim: Aim, picture: int) -> object:
    return os.execv(sys.executable, [sys.executable, "-c", "print('run')"])


@attack
def run_an_open_file(aim: Aim, picture: int) -> object:
    return os.execve(picture, ["picture"], {})


@attack
def spawn_a_program(aim: Aim, picture: int) -> object:
    return os.posix_spawn(sys.executable, [sys.executable, "-V"], {})


@attack
def run_a_shell(aim: Aim, picture: int) -> object:
    if (status := os.system("true")) == -1:
        raise OSError(errno.EPERM, "system")
    return status


@attack
def run_from_memory(aim: Aim, picture: int) -> object:
    return os.memfd_create("program")


@attack
def clone_with_flags_in_memory(aim: Aim, picture: int) -> object:
    arguments = (ctypes.c_uint64 * 8)()  # clone3 without flags is fork
    return syscall(435, _pointer(arguments), 64) or os._exit(0)


@attack
def make_memory_executable(aim: Aim, picture: int) -> object:
    return _mapped(7)


@attack
def make_written_memory_executable(aim: Aim, picture: int) -> object:
    return syscall(CALLS["mprotect"], _mapped(3), PAGE, 5)


@attack
def make_written_memory_executable_by_key(aim: Aim, picture: int) -> object:
    return syscall(288 if ARM else 329, _mapped(3), PAGE, 5, -1)  # pkey_mprotect


@attack
def map_the_picture_as_code(aim: Aim, picture: int) -> object:
    return syscall(CALLS["mmap"], 0, PAGE, 5, 2, picture, 0)


@attack
def signal_the_worker(aim: Aim, picture: int) -> object:
    return os.kill(aim["worker"], 0)


@attack
def stop_the_worker(aim: Aim, picture: int) -> object:
    return os.kill(aim["worker"], signal.SIGSTOP)


@attack
def signal_everybody(aim: Aim, picture: int) -> object:
    return os.kill(-1, 0)


@attack
def signal_a_thread_of_the_worker(aim: Aim, picture: int) -> object:
    return syscall(CALLS["tgkill"], aim["worker"], aim["worker"], 0)


@attack
def signal_a_thread(aim: Aim, picture: int) -> object:
    return syscall(CALLS["tkill"], aim["worker"], 0)


@attack
def queue_a_signal(aim: Aim, picture: int) -> object:
    information = (ctypes.c_int32 * 32)(0, 0, -1)
    return syscall(CALLS["rt_sigqueueinfo"], aim["worker"], 0, _pointer(information))


@attack
def have_the_kernel_signal_the_worker(aim: Aim, picture: int) -> object:
    import fcntl

    return fcntl.fcntl(0, fcntl.F_SETOWN, aim["worker"])


@attack
def trace_the_worker(aim: Aim, picture: int) -> object:
    return syscall(CALLS["ptrace"], 16, aim["worker"], 0, 0)  # PTRACE_ATTACH


@attack
def read_the_workers_memory(aim: Aim, picture: int) -> object:
    return syscall(CALLS["process_vm_readv"], aim["worker"], 0, 0, 0, 0, 0)


@attack
def write_the_workers_memory(aim: Aim, picture: int) -> object:
    return syscall(CALLS["process_vm_writev"], aim["worker"], 0, 0, 0, 0, 0)


@attack
def hold_the_worker(aim: Aim, picture: int) -> object:
    return os.pidfd_open(aim["worker"])


@attack
def take_the_workers_descriptor(aim: Aim, picture: int) -> object:
    return syscall(CALLS["pidfd_getfd"], picture, 0, 0)


@attack
def limit_the_worker(aim: Aim, picture: int) -> object:
    return resource.prlimit(aim["worker"], resource.RLIMIT_NOFILE, (10, 10))


@attack
def slow_the_worker(aim: Aim, picture: int) -> object:
    return os.setpriority(os.PRIO_PROCESS, aim["worker"], 19)


@attack
def pin_the_worker(aim: Aim, picture: int) -> object:
    return os.sched_setaffinity(aim["worker"], {0})


@attack
def let_the_worker_trace_it(aim: Aim, picture: int) -> object:
    return syscall(CALLS["prctl"], 0x59616D61, aim["worker"], 0, 0, 0)  # PR_SET_PTRACER


@attack
def raise_its_own_limits(aim: Aim, picture: int) -> object:
    return resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))


@attack
def share_memory(aim: Aim, picture: int) -> object:
    return syscall(194 if ARM else 29, 4711, PAGE, 0o1600)  # shmget


@attack
def send_messages(aim: Aim, picture: int) -> object:
    return syscall(186 if ARM else 68, 4711, 0o1600)  # msgget


# The kernel's wide doors


@attack
def use_io_uring(aim: Aim, picture: int) -> object:
    parameters = (ctypes.c_uint32 * 30)()
    return syscall(CALLS["io_uring_setup"], 4, _pointer(parameters))


@attack
def handle_page_faults(aim: Aim, picture: int) -> object:
    return syscall(CALLS["userfaultfd"], 1)


@attack
def load_a_bpf_program(aim: Aim, picture: int) -> object:
    return syscall(CALLS["bpf"], 0, 0, 0)


@attack
def measure_events(aim: Aim, picture: int) -> object:
    return syscall(CALLS["perf_event_open"], 0, 0, -1, -1, 0)


@attack
def read_keys(aim: Aim, picture: int) -> object:
    return syscall(CALLS["keyctl"], 0, -3, 0)


@attack
def make_a_namespace(aim: Aim, picture: int) -> object:
    return syscall(CALLS["unshare"], 0x1000_0000)  # CLONE_NEWUSER


@attack
def mount(aim: Aim, picture: int) -> object:
    return syscall(CALLS["mount"], 0, 0, 0, 0, 0)


@attack
def watch_files(aim: Aim, picture: int) -> object:
    return syscall(26 if ARM else 294, 0)  # inotify_init1


@attack
def control_a_device(aim: Aim, picture: int) -> object:
    import fcntl

    return fcntl.ioctl(0, 0x5421, b"\1\0\0\0")  # FIONBIO


@attack
def use_the_second_table_of_calls(aim: Aim, picture: int) -> object:
    if ARM:
        raise OSError(errno.EPERM, "x86_64 has it")
    return syscall(0x4000_0000 | 39)  # getpid of x32


def _mapped(protection: int) -> int:
    return syscall(CALLS["mmap"], 0, PAGE, protection, 0x22, -1, 0)


def _pointer(array: Any) -> ctypes.c_void_p:
    return ctypes.cast(array, ctypes.c_void_p)


if __name__ == "__main__":
    main()
