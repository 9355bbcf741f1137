"""Bounded decoding: what is read, what is refused, and what is left to a person."""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from models.errors import Unsupported
from models.settings import Settings
from tasks import storage
from tasks.images import decode, file_formats
from tasks.images.decode import Limits, Picture, PictureError, accepted, read
from tasks.images.frame_views import TURNS
from tasks.images.open_untrusted import register
from tasks.storage import Upload
from webapp.uploads import sniff

FIXTURES = Path(__file__).parents[1] / "fixtures"
MANIFEST: dict[str, Any] = json.loads((FIXTURES / "manifest.json").read_text())
Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Puts bytes into a file whose name promises a JPEG, whatever they are."""

    def write(data: bytes) -> Path:
        path = tmp_path / "upload.jpg"
        path.write_bytes(data)
        return path

    return write


def photo() -> Image.Image:
    return Image.open(FIXTURES / "safe_astronaut.jpg").convert("RGB")


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, rows: int) -> bytes:
    """A grey PNG that claims `height` rows and holds `rows` of zeros."""
    squeeze = zlib.compressobj(9)
    line = bytes(width + 1)
    body = b"".join(squeeze.compress(line) for _ in range(rows)) + squeeze.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def refused(path: Path, limits: Limits | None = None) -> str:
    with pytest.raises(PictureError) as caught:
        read(path, limits or Limits())
    assert str(caught.value).endswith(".")
    return caught.value.code


def peak_memory() -> int:
    """The most memory that this process has held, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@pytest.mark.parametrize("name", sorted(MANIFEST))
def test_it_reads_every_fixture(name: str) -> None:
    picture, facts = read(FIXTURES / name, Limits()), MANIFEST[name]
    assert (picture.width, picture.height) == (facts["width"], facts["height"])
    assert (picture.format, picture.frames) == (facts["format"], facts["frames"])
    assert picture.media_type == accepted()[facts["format"]]
    assert picture.sampled == tuple(range(facts["frames"]))
    assert [frame.index for frame in picture.views] == list(picture.sampled)
    assert all(f.image.size == (256, 256) and f.image.mode == "RGB" for f in picture.views)
    assert picture.preview.mode == "RGB"
    assert max(picture.preview.size) <= 1280
    assert not picture.doubts


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_turns_pictures_upright(write: Write, orientation: int) -> None:
    """Every orientation gives the view that turning the pixels first gives, to the bit."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = photo().crop((0, 0, 500, 311))
    path = write(encoded(stored, "JPEG", exif=exif))
    upright: Image.Image = Image.open(path)
    if orientation != 1:
        upright = upright.transpose(TURNS[orientation])
    picture = read(path, Limits())
    assert (picture.width, picture.height) == upright.size == picture.preview.size
    assert len(picture.views) == 1
    expected = upright.convert("RGB").resize((256, 256), Image.Resampling.BILINEAR)
    assert picture.views[0].image.tobytes() == expected.tobytes()


def test_a_disputed_orientation_is_looked_at_both_ways(write: Write) -> None:
    """Browsers differ on EXIF in a PNG; turning alone would let `reject_c` pass lying down."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = read(write(encoded(photo(), "PNG", exif=exif)), Limits())
    assert len(picture.views) == 2


@pytest.mark.parametrize("size", [(60, 40), (20, 1), (1, 1), (3000, 7)])
def test_it_reads_odd_sizes(write: Write, size: tuple[int, int]) -> None:
    picture = read(write(encoded(photo().resize(size), "PNG")), Limits())
    assert (picture.width, picture.height) == size


def is_approvable(path: Path) -> bool:
    """Whether nothing of the file asks for a person or for a rejection."""
    try:
        return not read(path, Limits()).doubts
    except PictureError:
        return False


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"restart_marker_rows": 1}),
        ("PNG", {}),
        ("PNG", {"mode": "P"}),
        ("GIF", {"interlace": 0}),
    ],
)
def test_of_a_cut_file_what_there_is_is_scored_and_a_person_looks(
    write: Write, format: str, options: dict[str, Any]
) -> None:
    options = dict(options)
    whole = encoded(photo().convert(options.pop("mode", "RGB")), format, **options)
    complete = read(write(whole), Limits())
    assert not complete.doubts
    for share in (0.5, 0.9, 0.98):
        picture = read(write(whole[: int(len(whole) * share)]), Limits())
        assert picture.doubts
        if not options.get("progressive"):  # a later scan refines all of the picture
            tops = (view.views[0].image.crop((0, 0, 256, 80)) for view in (complete, picture))
            assert_near(*tops)


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        pytest.param(
            "AVIF", {}, marks=pytest.mark.skipif("AVIF" not in accepted(), reason="Pillow has none")
        ),
        pytest.param(
            "HEIF", {}, marks=pytest.mark.skipif("HEIF" not in accepted(), reason="extra 'heif'")
        ),
    ],
)
def test_a_cut_file_that_only_browsers_show_in_part_goes_to_a_person(
    write: Write, format: str, options: dict[str, Any]
) -> None:
    if format == "HEIF":
        register("HEIF")
    whole = encoded(photo(), format, **options)
    assert read(write(whole), Limits()).format == format
    for share in (0.5, 0.9, 0.99):
        assert refused(write(whole[: int(len(whole) * share)])) in ("damaged", "unreadable")
    assert refused(write(whole[:-2])) == "damaged"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF"])
def test_a_file_without_its_end_marker_is_whole(write: Write, format: str) -> None:
    whole = encoded(photo(), format)
    marker = {"JPEG": 2, "PNG": 12, "GIF": 1}[format]
    picture = read(write(whole[:-marker]), Limits())
    assert picture.doubts == []
    assert picture.notes == ["the file ends without an end marker"]
    assert picture.views[0].image.tobytes() == read(write(whole), Limits()).views[0].image.tobytes()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF"])
def test_a_file_with_nothing_to_decode_is_unreadable(write: Write, format: str) -> None:
    whole = encoded(photo(), format)
    assert refused(write(whole[:40])) == "unreadable"


def assert_near(one: Image.Image, other: Image.Image, levels: float = 2.0) -> None:
    """Two pictures whose average difference is at most so many levels of 255."""
    assert one.size == other.size
    assert np.abs(np.asarray(one, float) - np.asarray(other, float)).mean() <= levels


def _with_brands(avif: bytes, first: bytes, *compatible: bytes) -> bytes:
    """The file with other brands: a new `ftyp` box, and its offsets moved as far as it grew."""
    old = int.from_bytes(avif[:4], "big")
    box = struct.pack(">I", 16 + 4 * len(compatible)) + b"ftyp" + first + bytes(4)
    box += b"".join(compatible)
    rest = bytearray(avif[old:])
    at = rest.index(b"iloc")  # version 0, offsets and lengths of 4 bytes, as libavif writes it
    assert rest[at + 4] == 0 and rest[at + 8] == 0x44 and rest[at + 9] == 0
    place = at + 12
    for _ in range(int.from_bytes(rest[at + 10 : at + 12], "big")):
        extents = int.from_bytes(rest[place + 4 : place + 6], "big")
        place += 6
        for _ in range(extents):
            (offset,) = struct.unpack_from(">I", rest, place)
            struct.pack_into(">I", rest, place, offset + len(box) - old)
            place += 8
    return box + bytes(rest)


MANY = [b"x%03d" % number for number in range(20)]
AVIF_FILES = [
    (b"avif", []),
    *((first, [b"avif"]) for first in (b"mif1", b"msf1", b"miaf", b"MA1A", b"heic")),
    *((first, [b"miaf", b"mif1", b"MA1B", b"avif"]) for first in (b"avif", b"mif1", b"msf1")),
    *((first, [*MANY, b"avif"]) for first in (b"mif1", b"msf1", b"miaf")),
]


def arrived(tmp_path: Path, data: bytes) -> Upload:
    settings = Settings(sluice_home=tmp_path)
    upload = Upload(storage.of(settings), uuid4(), len(data))
    upload.write(data)
    sniff.inspect(upload, settings)
    upload.close()
    return upload


@pytest.mark.skipif("AVIF" not in accepted(), reason="Pillow has none")
@pytest.mark.parametrize(("first", "compatible"), AVIF_FILES)
def test_the_request_and_the_worker_take_an_avif_by_any_of_its_brands(
    write: Write, tmp_path: Path, first: bytes, compatible: list[bytes]
) -> None:
    data = _with_brands(encoded(photo(), "AVIF", speed=10), first, *compatible)
    assert arrived(tmp_path, data).media_type == "image/avif"
    assert read(write(data), Limits()).format == "AVIF"


@pytest.mark.skipif("AVIF" not in accepted(), reason="Pillow has none")
def test_the_request_and_the_worker_take_an_animated_avif(write: Write, tmp_path: Path) -> None:
    small = photo().resize((64, 64))
    data = encoded(small, "AVIF", save_all=True, append_images=[small.rotate(90)], speed=10)
    assert data[8:12] == b"avis"
    assert arrived(tmp_path, data).media_type == "image/avif"
    assert read(write(data), Limits()).frames == 2


@pytest.mark.parametrize("first", sorted(file_formats.HEIF_BRANDS))
def test_the_request_and_the_worker_take_the_same_files_for_heif(
    write: Write, tmp_path: Path, first: bytes
) -> None:
    data = struct.pack(">I", 24) + b"ftyp" + first + bytes(4) + b"mif1" + first + bytes(64)
    assert file_formats.sniff(data) == "HEIF"
    if file_formats.reads_heif():
        assert arrived(tmp_path, data).media_type == "image/heif"
        assert refused(write(data)) == "unreadable"
    else:
        with pytest.raises(Unsupported):
            arrived(tmp_path, data)
        assert refused(write(data)) == "unsupported"


@pytest.mark.parametrize("first", [b"mp42", b"isom", b"qt  ", b"MA1A", b"\0\0\0\0"])
def test_a_film_is_unsupported_by_both(write: Write, tmp_path: Path, first: bytes) -> None:
    """A brand behind the `ftyp` box belongs to something else."""
    data = struct.pack(">I", 20) + b"ftyp" + first + bytes(4) + b"isom" + b"avif" + bytes(64)
    with pytest.raises(Unsupported):
        arrived(tmp_path, data)
    assert refused(write(data)) == "unsupported"


def test_a_jpeg_that_was_cut_and_closed_again_is_doubted(write: Write) -> None:
    whole = (FIXTURES / "reject_a.jpg").read_bytes()
    for share in (0.4, 0.7, 0.95):
        picture = read(write(whole[: int(len(whole) * share)] + b"\xff\xd9"), Limits())
        assert picture.doubts == ["the data are damaged"]


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("grey", [127, 128])
def test_a_grey_border_is_no_missing_data(write: Write, grey: int, progressive: bool) -> None:
    image = Image.new("RGB", (600, 600), (grey, grey, grey))
    image.paste(photo().resize((300, 300)), (150, 150))
    data = encoded(image, "JPEG", progressive=progressive)
    assert read(write(data), Limits()).doubts == []
    assert read(write(data[: len(data) * 2 // 3] + b"\xff\xd9"), Limits()).doubts


def test_a_jpeg_that_claims_more_rows_than_it_has_is_doubted(write: Write) -> None:
    whole = bytearray((FIXTURES / "reject_a.jpg").read_bytes())
    at = whole.index(b"\xff\xc0") + 5
    whole[at : at + 2] = struct.pack(">H", 2000)
    assert read(write(bytes(whole)), Limits()).doubts


@pytest.mark.parametrize("options", [{"restart_marker_rows": 1}, {"restart_marker_blocks": 7}])
def test_a_jpeg_whose_restart_markers_do_not_count_on_is_doubted(
    write: Write, options: dict[str, int]
) -> None:
    whole = encoded(photo(), "JPEG", **options)
    start = whole.index(b"\xff\xda")
    at = [m.start() for m in re.finditer(rb"\xff[\xd0-\xd7]", whole) if m.start() > start]
    assert read(write(whole), Limits()).doubts == []
    lacking, twice = whole[: at[5]] + whole[at[8] :], whole[: at[6]] + whole[at[5] :]
    for damaged in (lacking, twice):
        assert read(write(damaged), Limits()).doubts == ["the data are damaged"]


def test_a_png_that_claims_more_rows_than_it_has_is_doubted(write: Write) -> None:
    picture = read(write(png_of(300, 400, rows=100)), Limits())
    assert picture.doubts == ["the data end before the picture does"]
    assert refused(write(png_of(300, 400, rows=0))) == "unreadable"


def test_a_black_png_is_read(write: Write) -> None:
    assert read(write(png_of(300, 400, rows=400)), Limits()).height == 400


def test_an_apng_frame_that_lacks_rows_is_doubted(write: Write) -> None:
    small = photo().resize((64, 64))
    whole = animation([small, small.rotate(90)], "PNG")
    at = whole.index(b"fdAT")
    length = struct.unpack(">I", whole[at - 4 : at])[0]
    rows = zlib.decompress(whole[at + 8 : at + 4 + length])
    body = whole[at + 4 : at + 8] + zlib.compress(rows[: len(rows) // 2])
    data = whole[: at - 4] + chunk(b"fdAT", body) + whole[at + 8 + length :]
    assert "a frame is damaged" in read(write(data), Limits()).doubts[0]


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_a_gif_frame_whose_data_stop_early_is_doubted(write: Write, frame: int) -> None:
    small = photo().resize((64, 64))
    whole = animation([small, small.rotate(90), small.rotate(180)], "GIF")
    starts = [found.end() for found in re.finditer(rb",\0\0\0\0@\0@\0(?s:.)", whole)]
    assert len(starts) == 3
    colours = 3 << ((whole[starts[frame] - 1] & 7) + 1) if whole[starts[frame] - 1] & 0x80 else 0
    first = starts[frame] + colours + 1  # of the blocks of data, each behind its length
    second, end = first + 1 + whole[first], first
    while whole[end]:
        end += 1 + whole[end]
    picture = read(write(whole[:second] + whole[end:]), Limits())
    assert "a frame is damaged" in picture.doubts[0]
    assert picture.sampled == (0, 1, 2)  # what is there is scored


def test_a_png_whose_data_have_a_broken_checksum_goes_to_a_person(write: Write) -> None:
    whole = bytearray((FIXTURES / "reject_a.png").read_bytes())
    whole[5000] ^= 0xFF
    assert "the data are damaged" in read(write(bytes(whole)), Limits()).doubts


def test_a_palette_png_without_its_palette_is_unreadable(write: Write) -> None:
    whole = encoded(photo().convert("P"), "PNG")
    at = whole.index(b"PLTE") - 4
    length = int.from_bytes(whole[at : at + 4], "big")
    assert refused(write(whole[:at] + whole[at + 12 + length :])) == "unreadable"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Only text.",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"BM" + bytes(80),
        b"II*\x00" + bytes(80),
        b"8BPS" + bytes(80),
        b"\x00\x00\x01\x00" + bytes(80),
    ],
)
def test_other_files_are_unsupported(write: Write, data: bytes) -> None:
    assert refused(write(data)) == "unsupported"


def test_a_signature_alone_is_unreadable(write: Write) -> None:
    heads = [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x04\x00\x00\x00WEBP"]
    for head in heads:
        assert refused(write(head)) == "unreadable"


def test_garbage_behind_a_signature_never_escapes_as_another_error(write: Write) -> None:
    chance = np.random.default_rng(7)
    for name in ("safe_chelsea.jpg", "reject_a_palette.png", "animated_bad_frame_17.gif",
                 "animated_bad_frame_17.webp"):  # fmt: skip
        whole = (FIXTURES / name).read_bytes()
        for _ in range(60):
            broken = bytearray(whole)
            for at in chance.integers(8, len(broken), 12):
                broken[at] = chance.integers(256)
            try:
                assert isinstance(read(write(bytes(broken)), Limits(max_frames=4)), Picture)
            except PictureError as error:
                assert error.code in {"damaged", "unreadable", "too_large", "unsupported"}


def test_a_bomb_is_refused_at_once_and_in_little_memory(write: Write) -> None:
    path = write(png_of(20_000, 20_000, rows=20_000))
    before = peak_memory()
    assert refused(path) == "too_large"
    assert peak_memory() - before < 20_000


def test_pixels_and_sides_are_bounded(write: Write) -> None:
    path = write(encoded(photo(), "PNG"))
    assert refused(path, Limits(max_pixels=512 * 512 - 1)) == "too_large"
    assert refused(path, Limits(max_side=511)) == "too_large"
    assert refused(write(png_of(17_000, 2, rows=2))) == "too_large"


def test_a_webp_bomb_is_refused_before_libwebp_sees_it(write: Write) -> None:
    canvas = (16_382).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    assert refused(write(b"RIFF" + struct.pack("<I", len(body)) + body)) == "too_large"


def test_a_gif_frame_larger_than_its_canvas_is_bounded(write: Write) -> None:
    whole = bytearray(encoded(Image.new("P", (10, 10)), "GIF"))
    at = whole.index(b",\x00\x00\x00\x00\x0a\x00\x0a\x00")
    whole[at + 5 : at + 9] = struct.pack("<HH", 60_000, 60_000)
    assert refused(write(bytes(whole))) == "too_large"


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once(write: Write) -> None:
    """By its outline, that is: a decoder does not tell how many scans there are."""
    whole = encoded(photo(), "JPEG", progressive=True)
    start = whole.rindex(b"\xff\xda")
    path = write(whole[:start] + whole[start:-2] * 3000 + b"\xff\xd9")
    with pytest.raises(PictureError, match=r"has 3\d\d\d scans\.$") as caught:
        read(path, Limits())
    assert caught.value.code == "too_large"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "PA", "P", "RGBA", "I;16"])
def test_it_reads_every_mode_of_png(write: Write, mode: str) -> None:
    grey = photo().convert("L")
    if mode == "PA":
        image = grey.convert("P")
        data = encoded(image, "PNG", transparency=bytes(range(256)))
    elif mode == "I;16":
        data = encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), "PNG")
    else:
        data = encoded(photo().convert(mode), "PNG")
    view = read(write(data), Limits()).views[0].image
    if mode not in ("1", "PA"):
        drift = np.asarray(view).mean() - np.asarray(grey.resize((256, 256))).mean()
        assert abs(drift) < 8  # a 16-bit picture that was clipped would be white


def test_alpha_is_looked_at_on_white_on_black_and_dropped(write: Write) -> None:
    hidden = photo().convert("RGBA")
    hidden.putalpha(0)
    picture = read(write(encoded(hidden, "PNG")), Limits())
    white, black, dropped = (np.asarray(frame.image) for frame in picture.views)
    assert white.min() == 255
    assert black.max() == 0
    expected = photo().resize((256, 256), Image.Resampling.BILINEAR)
    assert dropped.tobytes() == expected.tobytes()
    assert np.asarray(picture.preview).min() == 255


def test_opaque_alpha_gives_one_view(write: Write) -> None:
    assert len(read(write(encoded(photo().convert("RGBA"), "PNG")), Limits()).views) == 1


def shades(count: int, size: int = 48, flash: int | None = None) -> list[Image.Image]:
    """Frames that darken slowly, one level each; `flash` is white."""
    frames = [Image.new("RGB", (size, size), (40 + i % 90, 60, 50)) for i in range(count)]
    if flash is not None:
        frames[flash] = Image.new("RGB", (size, size), "white")
    return frames


def animation(frames: list[Image.Image], format: str, **options: Any) -> bytes:
    rest = {"save_all": True, "append_images": frames[1:], "duration": 40, "lossless": True}
    return encoded(frames[0], format, **rest, **options)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_every_frame_is_looked_at(write: Write, format: str) -> None:
    picture = read(write(animation(shades(30, flash=29), format)), Limits())
    assert picture.frames == 30
    assert picture.sampled == tuple(range(30))
    assert np.asarray(picture.views[-1].image).min() > 250


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_of_long_animations_each_look_is_scored(write: Write, format: str) -> None:
    path = write(animation(shades(400, flash=333), format))
    picture = read(path, Limits(max_frames=20))
    assert 5 < len(picture.sampled) <= 20
    assert {0, 333} <= set(picture.sampled)
    assert picture.notes == [f"frames sampled {len(picture.sampled)} of 400"]
    assert any(np.asarray(frame.image).min() > 250 for frame in picture.views)


def test_what_the_pixel_budget_leaves_out_is_doubted(write: Write) -> None:
    path = write(animation(shades(50), "GIF"))
    picture = read(path, Limits(max_total_pixels=600_000))
    assert picture.sampled == tuple(range(len(picture.sampled)))
    assert 1 < len(picture.sampled) < 50
    assert "frames were decoded" in picture.doubts[0]


def test_a_repeated_frame_is_scored_once(write: Write) -> None:
    frames = [*shades(2), *shades(2)]
    picture = read(write(animation(frames, "WEBP")), Limits())
    assert picture.sampled == (0, 1, 2, 3)
    assert len(picture.views) == 2


def test_the_default_picture_of_an_apng_is_looked_at(write: Write) -> None:
    data = animation([photo(), *shades(3, 512)], "PNG", default_image=True)
    picture = read(write(data), Limits())
    assert len(picture.views) == 4


def test_a_bad_last_frame_of_an_apng_is_doubted(write: Write) -> None:
    data = bytearray(animation([photo(), photo().rotate(90), photo().rotate(180)], "PNG"))
    at = data.rindex(b"fdAT") + 60
    data[at : at + 40] = bytes(40)
    assert any("frame is damaged" in each for each in read(write(bytes(data)), Limits()).doubts)


def test_the_second_image_of_an_mpo_is_looked_at(write: Write) -> None:
    data = encoded(photo(), "MPO", save_all=True, append_images=[Image.new("RGB", (512, 512))])
    picture = read(write(data), Limits())
    assert (picture.format, picture.frames, picture.sampled) == ("JPEG", 2, (0, 1))
    assert picture.notes == ["further pictures in the file: 1"]
    assert not picture.doubts
    assert np.asarray(picture.views[1].image).max() < 5


def test_other_bytes_behind_the_picture_are_noted(write: Write) -> None:
    whole = (FIXTURES / "safe_chelsea.jpg").read_bytes()
    assert read(write(whole + bytes(500)), Limits()).notes == []
    picture = read(write(whole + b"SEFT phone maker's trailer"), Limits())
    assert picture.notes == ["26 bytes after the end of the picture"]
    assert not picture.doubts


@pytest.mark.parametrize("index", [0, 17])
def test_a_still_of_any_frame(index: int) -> None:
    path = FIXTURES / "animated_bad_frame_17.gif"
    still = decode.frame_previews(path, [index], Limits())[index]
    view = next(frame for frame in read(path, Limits()).views if frame.index == index)
    small = still.resize((256, 256), Image.Resampling.BILINEAR)
    assert small.tobytes() == view.image.tobytes()


def test_there_is_no_still_of_a_frame_that_is_not_there() -> None:
    assert decode.frame_previews(FIXTURES / "reject_a.jpg", [1], Limits()) == {}


def test_thumbnails_carry_no_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    data = encoded(photo(), "JPEG", exif=exif, comment=b"secret", icc_profile=b"x" * 99)
    image = Image.open(io.BytesIO(data))
    decode.save_thumbnail(image, tmp_path / "thumb.webp", longest=300)
    thumb = Image.open(tmp_path / "thumb.webp")
    assert (thumb.format, thumb.size) == ("WEBP", (300, 300))
    data = (tmp_path / "thumb.webp").read_bytes()
    assert not any(tag in data for tag in (b"EXIF", b"XMP ", b"ICCP", b"where", b"secret"))


@pytest.mark.parametrize("name", ["safe_coffee_11mp.jpg", "reject_b_13mp.jpg"])
def test_the_size_is_that_of_the_file_also_if_it_is_decoded_smaller(name):
    with Image.open(FIXTURES / name) as image:
        size = image.size
    picture = read(FIXTURES / name, Limits())
    assert (picture.width, picture.height) == size
