"""What the scripts print about mistakes: one line each, and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from models.errors import SluiceError
from models.settings import Settings, use_settings
from models.settings.sources import Sources
from tasks.servers import layout
from tasks.servers.supervisor_client import UNREACHABLE
from tasks.stack.steps import INTERRUPTED, NOT_RUNNING, fail

# The system's answers that a person can change: rights, space, a disk that is read-only or full.
REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)


def checked_settings() -> Settings:
    """The settings of this process; warns of names that have no effect. Raises SettingError."""
    settings = use_settings(Settings.load())
    warn(Sources.read(os.environ).warnings())
    return settings


def valid_settings() -> Settings:
    """The settings of this process as far as they are valid; warns of each mistake.

    For scripts that must work whatever the file says: they stop a stack or show it.
    """
    settings, errors = Settings.load_valid()
    warn(f"{error}; ignored" for error in errors)
    return use_settings(settings)


@contextmanager
def one_line_errors(script: str, *expected: type[Exception]) -> Iterator[None]:
    """An expected error of the block ends the process: one line, and exit code 1.

    Expected are the domain's errors, an interruption (exit code 130), the system's refusal of a
    file, and the given types: OSError of files that a person named, or the database driver's
    errors.
    """
    try:
        yield
    except SluiceError as error:
        raise fail(f"{script}: {error.detail}") from error
    except OSError as error:
        if not isinstance(error, expected) and not _is_refusal(error):
            raise
        file = f"{error.filename}: " if error.filename else ""
        raise fail(f"{script}: {file}{error.strerror or error}{_owner_hint(error)}") from error
    except expected as error:
        raise fail(f"{script}: {of_database(error)}") from error
    except KeyboardInterrupt as interrupt:
        raise fail(f"{script}: interrupted", INTERRUPTED) from interrupt


@contextmanager
def needs_stack(script: str) -> Iterator[None]:
    """Where the supervisor does not answer in the block: one line, and exit code NOT_RUNNING."""
    try:
        yield
    except UNREACHABLE:
        raise fail(f"{script}: Sluice is not running: scripts/up starts it", NOT_RUNNING) from None


def end_with_reader() -> None:
    """End silently when the reader of the output ends: ``scripts/plan … | head`` is no error.

    Call it after the last use of a socket, whose end would end this process too.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def of_database(error: BaseException) -> str:
    """The database driver's error as one line: whether it refuses, or does not answer."""
    refused = getattr(error, "pgcode", None) or getattr(error.__cause__, "pgcode", None)
    verb = "refuses" if refused else "does not answer"
    return f"the database {verb}: {' '.join(str(error).split())}"


def warn(sentences: Iterable[str]) -> None:
    """One line each on standard error."""
    for sentence in sentences:
        print(f"warning: {sentence}", file=sys.stderr, flush=True)


def _is_refusal(error: OSError) -> bool:
    return error.filename is not None and error.errno in REFUSALS


def _owner_hint(error: OSError) -> str:
    """Whose the file is, if this user may not use it."""
    if error.errno not in (errno.EACCES, errno.EPERM) or not error.filename:
        return ""
    try:
        owner = layout.user_name(os.stat(error.filename).st_uid)
    except OSError:
        return f" for the user {layout.user_name(os.getuid())}"
    return f": it belongs to {owner}, and this runs as {layout.user_name(os.getuid())}"
