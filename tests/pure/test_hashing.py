"""Exact and perceptual hashes, and the search for near ones."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.hash_bank.hashing import HashBank, pdq, sha256_file
from tasks.hash_bank.pdq import compute
from tasks.images.decode import Limits, read

FIXTURES = Path(__file__).parents[1] / "fixtures"


def hash_of(name: str) -> bytes:
    found, quality = pdq(read(FIXTURES / name, Limits()).preview)
    assert len(found) == 32
    assert quality >= 50
    return found


def apart(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def test_sha256_of_a_file() -> None:
    path = FIXTURES / "reject_a.png"
    assert sha256_file(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "name",
    [
        "reject_a.png",
        "reject_a.webp",
        "reject_a_cmyk.jpg",
        "reject_a_palette.png",
        "reject_a_recompressed.jpg",
        "reject_a_small.jpg",
        "reject_a_cropped.jpg",
    ],
)
def test_pdq_knows_a_picture_again(name: str) -> None:
    assert apart(hash_of("reject_a.jpg"), hash_of(name)) <= 31


def test_pdq_of_a_reduced_preview_is_that_of_the_picture() -> None:
    assert apart(hash_of("safe_coffee.jpg"), hash_of("safe_coffee_11mp.jpg")) <= 10


def test_pdq_tells_pictures_apart() -> None:
    others = ["reject_b.jpg", "reject_c.jpg", "review_a.jpg", "safe_coffee.jpg", "safe_rocket.jpg"]
    hashes = [hash_of(name) for name in ["reject_a.jpg", *others]]
    distances = [apart(a, b) for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(distances) > 60


def test_plain_and_tiny_pictures_have_no_quality() -> None:
    assert pdq(Image.new("RGB", (300, 200), "grey"))[1] == 0
    assert pdq(Image.new("RGB", (3, 900))) == (bytes(32), 0)


@pytest.fixture(scope="module")
def entries() -> list[tuple[int, bytes]]:
    chance = np.random.default_rng(3)
    return [(1000 + i, chance.bytes(32)) for i in range(2000)]


def test_the_bank_finds_what_brute_force_finds(entries: list[tuple[int, bytes]]) -> None:
    bank = HashBank(entries)
    chance = np.random.default_rng(4)
    for _ in range(20):
        wanted = chance.bytes(32)
        by_force = sorted((apart(hash_, wanted), id_) for id_, hash_ in entries)
        assert bank.nearest(wanted) == by_force[0][::-1]


def test_the_bank_finds_a_hash_and_its_neighbour(entries: list[tuple[int, bytes]]) -> None:
    bank = HashBank(entries)
    id_, hash_ = entries[77]
    neighbour = bytes([hash_[0] ^ 0b101, *hash_[1:]])
    assert bank.nearest(hash_) == (id_, 0)
    assert bank.nearest(neighbour) == (id_, 2)


def test_an_empty_bank_finds_nothing() -> None:
    assert HashBank([]).nearest(bytes(32)) is None


def test_the_bank_refuses_hashes_of_another_length() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        HashBank([(1, b"short")])
    with pytest.raises(ValueError, match="32 bytes"):
        HashBank([(1, bytes(32))]).nearest(b"short")


REFERENCE = json.loads((FIXTURES / "pdq.json").read_text())


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_pdq_agrees_with_the_reference_implementation(name: str) -> None:
    """`pdq.json` holds what the binding `pdqhash` 0.2.8 gives for each picture shrunk to 512."""
    with Image.open(FIXTURES / name) as picture:
        image = picture.convert("RGB")
    image.thumbnail((512, 512))
    code, quality = compute(image)
    known = REFERENCE[name]
    distance = (int.from_bytes(code, "big") ^ int(known["pdq"], 16)).bit_count()
    assert distance <= 2
    assert abs(quality - known["quality"]) <= 1
