"""Tests that add known images: other tests' pictures are the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.stack import Stack


def forget(stack: Stack) -> None:
    """Delete all known images, and let the workers read the list again."""
    stack.sql("DELETE FROM known_hash")
    stack.sql("UPDATE revision SET number = number + 1 WHERE name = 'known_hashes'")


@contextmanager
def none_known(stack: Stack) -> Iterator[None]:
    """Nothing is known before, nor afterwards."""
    forget(stack)
    try:
        yield
    finally:
        forget(stack)
