"""Animations: each frame as browsers paint it, and of long ones each distinct look."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tasks.images import decode
from tasks.images.decode import Limits, Picture, PictureError
from tests.support.decoded import decoded
from tests.support.hostile import animation, bad, safe
from tests.support.rendering import apngs
from tests.support.rendering.gifs import FOUR, GifPart, gif_of, part, pixels_of, whole

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def colours(picture: Picture, index: int, at: tuple[float, float]) -> set[tuple[int, ...]]:
    """The colours of a frame's views at a place, given as shares of the sides."""
    where = int(at[0] * 255), int(at[1] * 255)
    return {view.image.getpixel(where) for view in picture.views if view.index == index}  # type: ignore[misc]


def test_a_gif_frame_that_exceeds_the_canvas_is_clipped() -> None:
    picture = decoded(gif_of(40, 40, [part(0, 0, 40, 40, 0), part(20, 20, 400, 300, 1)], FOUR))
    assert (picture.width, picture.height) == (40, 40)
    assert colours(picture, 1, (0.25, 0.25)) == {FOUR[0]}
    assert colours(picture, 1, (0.75, 0.75)) == {FOUR[1]}


def test_a_gif_takes_the_size_of_a_larger_first_frame() -> None:
    picture = decoded(gif_of(10, 10, [part(5, 0, 35, 20, 0), part(0, 0, 90, 90, 1)], FOUR))
    assert (picture.width, picture.height) == (40, 20)


def test_the_canvas_that_a_gif_leaves_uncovered_is_transparent() -> None:
    picture = decoded(gif_of(40, 40, [part(0, 0, 20, 40, 1)], FOUR, background=2))
    assert colours(picture, 0, (0.25, 0.5)) == {FOUR[1]}
    assert colours(picture, 0, (0.75, 0.5)) == {WHITE, BLACK}


@pytest.mark.parametrize("disposal", range(8))
def test_a_gif_frame_is_disposed_of_as_it_says(disposal: int) -> None:
    parts = [whole(0), part(0, 0, 24, 32, 1, disposal=disposal), part(0, 0, 2, 2, 2)]
    left = {2: {WHITE, BLACK}, 3: {FOUR[0]}, 4: {FOUR[0]}}.get(disposal, {FOUR[1]})
    assert colours(decoded(gif_of(48, 32, parts, FOUR)), 2, (0.25, 0.5)) == left


def test_a_gif_frame_without_pixels_changes_nothing() -> None:
    picture = decoded(gif_of(48, 32, [whole(0), part(4, 4, 0, 9, 1), whole(2)], FOUR))
    assert picture.sampled == (0, 1, 2)
    assert not picture.doubts


def test_a_gif_without_a_frame_is_unreadable() -> None:
    with pytest.raises(PictureError) as caught:
        decoded(gif_of(48, 32, [], FOUR))
    assert caught.value.code == "unreadable"


def test_every_frame_of_an_apng_is_scored_though_browsers_show_a_still() -> None:
    """The second count says one frame: browsers that take the first play all."""
    red, green = (
        apngs.plain(0, 0, 48, 32, colour, in_idat=colour[0] > 100)
        for colour in (b"\xc8\0\0", b"\0\xc8\0")
    )
    for counts in (apngs.actl(2) + apngs.actl(1), apngs.actl(1), b""):
        data = apngs.head(apngs.RGB) + counts + apngs.body([red, green], apngs.counted())
        picture = decoded(data + apngs.END)
        assert colours(picture, 0, (0.5, 0.5)) == {(200, 0, 0)}
        assert colours(picture, 1, (0.5, 0.5)) == {(0, 200, 0)}


def test_an_apng_frame_is_blended_and_disposed_of() -> None:
    half = apngs.ApngPart(0, 0, 24, 32, b"\x00\xff\x00\x80" * (24 * 32), blend=apngs.OVER)
    ground = apngs.ApngPart(0, 0, 48, 32, b"\xff\x00\x00\xff" * (48 * 32), in_idat=True)
    parts = [ground, half, replace(half, left=24, dispose=apngs.RESTORE), replace(half, left=24)]
    data = apngs.head(apngs.RGBA) + apngs.actl(4) + apngs.body(parts, apngs.counted()) + apngs.END
    picture = decoded(data)
    mixed = colours(picture, 1, (0.25, 0.5))
    assert mixed == colours(picture, 2, (0.75, 0.5)) == {(127, 128, 0)}
    assert not colours(picture, 3, (0.75, 0.5))  # the same again, so it has no view
    assert colours(picture, 1, (0.75, 0.5)) == {(255, 0, 0)}


@pytest.mark.skipif("AVIF" not in decode.accepted(), reason="Pillow has none")
@pytest.mark.parametrize("brand", [b"avis", b"avif"])
def test_an_avif_animation_and_the_picture_beside_it_are_scored(brand: bytes) -> None:
    """The first brand decides which of them a browser shows."""
    red, blue = Image.new("RGB", (64, 64), (220, 30, 30)), Image.new("RGB", (64, 64), (20, 20, 220))
    film = animation([red, blue], "AVIF", quality=100)
    picture = decoded(film[:8] + brand + film[12:])
    assert {view.image.getpixel((9, 9))[0] > 128 for view in picture.views} == {True, False}  # type: ignore[index]
    assert not picture.doubts


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_one_other_frame_of_a_long_animation_is_scored(format: str) -> None:
    frames = [safe(32), safe(32).rotate(90)] * 40
    for at in (1, 39, 79):
        frames[at] = bad(32).rotate(at)
    picture = decoded(animation(frames, format), max_frames=10)
    assert {1, 39, 79} <= set(picture.sampled)
    assert len(picture.sampled) <= 6
    assert not picture.doubts


def _flashes(chance: random.Random, count: int) -> list[GifPart]:
    return [GifPart(0, 0, 48, 32, pixels_of(chance, 48, 32, 4), delay=2) for _ in range(count)]


def test_a_frame_that_stands_long_between_flashes_is_scored() -> None:
    """More flashes than can be scored: a person looks, and the long frame is among the scored."""
    parts = _flashes(random.Random(5), 299)
    parts.insert(171, replace(parts[171], delay=6000))
    picture = decoded(gif_of(48, 32, parts, FOUR), max_frames=20)
    assert {0, 171, 299} <= set(picture.sampled)
    assert len(picture.sampled) <= 20
    assert picture.doubts == ["more different frames than can be scored"]


def test_the_preview_of_a_frame_is_the_frame_that_was_scored(tmp_path: Path) -> None:
    parts = [whole(0), part(20, 10, 99, 99, 1, disposal=2), part(0, 0, 9, 9, 3)]
    path = tmp_path / "upload.gif"
    path.write_bytes(gif_of(48, 32, parts, FOUR))
    previews = decode.frame_previews(path, [1, 2], Limits())
    views = {view.index: view.image for view in reversed(decode.read(path, Limits()).views)}
    for index in (1, 2):
        assert previews[index].size == (48, 32)
        small = previews[index].resize((256, 256), Image.Resampling.BILINEAR)
        assert small.tobytes() == views[index].tobytes()
