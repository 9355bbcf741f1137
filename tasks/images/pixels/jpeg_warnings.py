"""What libjpeg warns of in a JPEG, which Pillow hides: missing, broken or superfluous data.

Pillow has no way to ask, and each of the packages that has (simplejpeg, PyTurboJPEG) needs numpy,
whose 20 MB are more than this whole process. So the library that Pillow has loaded already is asked
by its public interface (jpeglib.h), with the picture at an eighth of its size: the data are read as
for the whole picture, in little memory and about a third of the time.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys

from PIL import _imaging

VERSION, SIZE = 62, 632  # of the interface, and bytes of its structure on 64-bit machines
ROOM = 4096  # bytes for each structure, so that another version cannot write past it
EXTRANEOUS, HIT_MARKER, BAD_CODE, END_OF_FILE, RESYNC = 116, 117, 118, 120, 121
_BROKEN = frozenset({HIT_MARKER, BAD_CODE, END_OF_FILE, RESYNC})
MOST_WARNINGS = 100  # kept of one picture
_PADDING = frozenset(b"\0\xff")


class _Errors(ctypes.Structure):
    """The public part of ``jpeg_error_mgr``."""

    _fields_ = (
        ("error_exit", ctypes.c_void_p),
        ("emit_message", ctypes.c_void_p),
        ("output_message", ctypes.c_void_p),
        ("format_message", ctypes.c_void_p),
        ("reset_error_mgr", ctypes.c_void_p),
        ("code", ctypes.c_int),
        ("number", ctypes.c_int),  # the first parameter of the message
        ("rest", ctypes.c_char * ROOM),
    )


class _Decompress(ctypes.Structure):
    """The first part of ``jpeg_decompress_struct``; the library fills the rest."""

    _fields_ = (
        ("errors", ctypes.c_void_p),
        ("pointers", ctypes.c_void_p * 3),
        ("states", ctypes.c_int * 2),
        ("source", ctypes.c_void_p),
        ("width", ctypes.c_uint),
        ("height", ctypes.c_uint),
        ("components", ctypes.c_int),
        ("colours_in", ctypes.c_int),
        ("colours_out", ctypes.c_int),
        ("scale", ctypes.c_uint),
        ("scale_of", ctypes.c_uint),
        ("rest", ctypes.c_char * ROOM),
    )


_ON_ERROR = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_ON_MESSAGE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int)


@functools.cache
def load() -> ctypes.CDLL | None:
    """Pillow's libjpeg; None if this installation has it in another way or version."""
    if sys.maxsize < 1 << 32:
        return None
    library = ctypes.CDLL(_imaging.__file__)  # a symbol is looked up in its libraries
    if not hasattr(library, "jpeg_mem_src"):
        return None
    library.jpeg_std_error.restype = ctypes.c_void_p
    return library if _has_version(library) else None


def _has_version(library: ctypes.CDLL) -> bool:
    """Whether the library takes `VERSION` and `SIZE`; if not, it reports an error and returns."""
    its, errors, failed = _Decompress(), _Errors(), []
    errors_at = library.jpeg_std_error(ctypes.byref(errors))
    on_error = _ON_ERROR(lambda _: failed.append(errors.code))
    errors.error_exit = ctypes.cast(on_error, ctypes.c_void_p).value
    its.errors = errors_at
    library.jpeg_CreateDecompress(ctypes.byref(its), VERSION, ctypes.c_size_t(SIZE))
    library.jpeg_destroy_decompress(ctypes.byref(its))
    return not failed


class _Listener:
    """Collects the warnings of one picture after another.

    It is made once, and before the process is confined: libffi needs executable memory for its
    callbacks, which a confined process cannot get.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self.warnings: list[tuple[int, int]] = []
        self._errors = _Errors()
        self.address = library.jpeg_std_error(ctypes.byref(self._errors))
        self._on_error = _ON_ERROR(lambda _: os._exit(70))
        self._on_message = _ON_MESSAGE(self._take)
        self._errors.error_exit = ctypes.cast(self._on_error, ctypes.c_void_p).value
        self._errors.emit_message = ctypes.cast(self._on_message, ctypes.c_void_p).value

    def _take(self, _: int | None, level: int) -> None:
        if level < 0 and len(self.warnings) < MOST_WARNINGS:
            self.warnings.append((self._errors.code, self._errors.number))


@functools.cache
def _listener() -> _Listener | None:
    library = load()
    return None if library is None else _Listener(library)


def preload() -> None:
    """Make what a confined process cannot make."""
    _listener()


def is_broken(data: bytes) -> bool | None:
    """Whether data of the pixels are missing or broken; None if that cannot be told.

    `data` is a bare JPEG (see `containers.jpeg`) that Pillow has decoded. A fatal error ends this
    process, because libjpeg cannot go on after one: Pillow has had it before, unless memory ran out
    only now.
    """
    library, listener = load(), _listener()
    if library is None or listener is None:
        return None
    its = _Decompress(errors=listener.address)
    listener.warnings.clear()
    library.jpeg_CreateDecompress(ctypes.byref(its), VERSION, ctypes.c_size_t(SIZE))
    try:
        _read(library, its, data)
    finally:
        library.jpeg_destroy_decompress(ctypes.byref(its))
    return any(
        code in _BROKEN or (code == EXTRANEOUS and not _is_padding(data, number))
        for code, number in listener.warnings
    )


def _read(library: ctypes.CDLL, its: _Decompress, data: bytes) -> None:
    pointer = ctypes.byref(its)
    library.jpeg_mem_src(pointer, data, ctypes.c_ulong(len(data)))
    library.jpeg_read_header(pointer, 1)
    its.scale, its.scale_of = 1, 8
    its.colours_out = its.colours_in  # no conversion
    library.jpeg_start_decompress(pointer)
    row = ctypes.create_string_buffer((its.width // 8 + 2) * max(1, its.components))
    rows = (ctypes.c_void_p * 1)(ctypes.addressof(row))
    for _ in range((its.height + 7) // 8):
        library.jpeg_read_scanlines(pointer, rows, 1)
    library.jpeg_finish_decompress(pointer)


def _is_padding(data: bytes, count: int) -> bool:
    """Whether the last bytes before the end marker are only padding, which some cameras write."""
    return set(data[-2 - count : -2]) <= _PADDING
