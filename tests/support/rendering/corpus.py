"""The files that the render oracle compares, by kind.

Add a kind with ``@kind("name", ...)``: a function of a random generator that yields `Case`s. The
suite runs it once with one seed; ``python -m tests.support.rendering`` runs many seeds for the
table in docs/pictures.md. Modules of cases are named in `MODULES`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

# Tolerances: the largest difference, in levels of 255, of the averages of 16 x 16 pixels of a
# 256 x 256 view. Decoders round alpha differently by one level; those of lossy formats also differ
# in how they enlarge chroma.
LOSSLESS, LOSSY = 3, 10
MODULES = ("stills", "colors", "odd", "gifs", "apngs", "films", "avifs")


@dataclass(frozen=True)
class Case:
    """A file. ``person``: the picture may have a doubt instead of equal views.

    ``partial``: the browser may leave rows at its end uncovered, which are not compared.
    """

    name: str
    data: bytes
    tolerance: int = LOSSLESS
    person: bool = False
    partial: bool = False


Maker = Callable[[random.Random], Iterator[Case]]


@dataclass(frozen=True)
class Kind:
    """A row of the table. ``seeded``: another seed makes other files."""

    name: str
    make: Maker
    seeded: bool


KINDS: dict[str, Kind] = {}


def kind(name: str, *, seeded: bool = False) -> Callable[[Maker], Maker]:
    """Register a maker of cases under the name that the table shows."""

    def register(make: Maker) -> Maker:
        KINDS[name] = Kind(name, make, seeded)
        return make

    return register


def kinds() -> list[Kind]:
    """All kinds, in the order of `MODULES`."""
    for module in MODULES:
        import_module(f"tests.support.rendering.{module}")
    return list(KINDS.values())


def cases(one: Kind, seeds: int) -> Iterator[Case]:
    """The cases of a kind; of a seeded one those of so many seeds."""
    for seed in range(seeds if one.seeded else 1):
        yield from one.make(random.Random(f"{one.name} {seed}"))
