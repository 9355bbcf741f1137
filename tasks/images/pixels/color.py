"""Colour management: what is scored are the sRGB colours that a browser paints.

Browsers convert by the first of these that is sound: in a PNG cICP, iCCP, sRGB, gAMA with cHRM; in
other formats the ICC profile; in an AVIF the profile, else its code points. They ignore a broken
profile and one of another kind of picture. Where viewers differ, both readings are scored. Each
rule was compared with Chromium 156, pixel by pixel. Little CMS converts as Chromium does, by at
most two levels of 255.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageCms

from tasks.images.pixels import icc_profile, tone_mapping
from tasks.images.pixels.icc_profile import HighRange, Profile

SAME = 3  # levels of 255: a profile that changes no colour by more is not applied
SAME_ARITHMETIC = 8  # levels by which the fast arithmetic may differ
MILD = 72  # levels: such a profile may be applied after shrinking, as Display P3 is
LATE = 1_000_000  # pixels: above this a mild profile is applied to the shrunk views only
MAX_PROFILE = 4 << 20  # bytes uncompressed; larger ones are ignored, as browsers do
_LATE = "sluice_colour"  # in `Image.info`, which survives crops, turns and resizes


@dataclass(frozen=True, slots=True)
class ColorReading:
    """One way to see the colours: an ICC profile, or None for sRGB, or code points of PQ or HLG."""

    profile: bytes | None = None
    high_range: HighRange | None = None


SRGB = ColorReading()


def readings(profile: Profile | None, mode: str) -> tuple[ColorReading, ...]:
    """How viewers see a picture of this Pillow mode with this profile: first as browsers do."""
    if not profile:
        return (SRGB,)
    if isinstance(profile, HighRange):  # each viewer maps them in its own way
        return (ColorReading(high_range=profile), SRGB)
    sound = icc_profile.is_sound(profile)
    profile = icc_profile.repaired(profile)
    if _transform(profile, _form(mode)) is None:
        # Little CMS cannot tell what it does. If a browser may apply it, somebody must look.
        return (SRGB,)
    read = ColorReading(profile)
    if _change(profile, _form(mode)) <= SAME:
        return (SRGB,)
    return (read,) if sound else (SRGB, read)


def is_unknown(profile: Profile | None, mode: str) -> bool:
    """Whether browsers may apply a profile that cannot be applied here."""
    if not profile or isinstance(profile, HighRange) or not icc_profile.is_sound(profile):
        return False
    if icc_profile.space(profile) not in icc_profile.SPACES:
        return True
    fits = icc_profile.fits(profile, _form(mode))
    return fits and _transform(icc_profile.repaired(profile), _form(mode)) is None


def painted(image: Image.Image, reading: ColorReading) -> Image.Image:
    """`image` in sRGB colours. A large one may be converted later: see `finished`."""
    if reading.high_range:
        return _toned(image, reading.high_range)
    if reading.profile is None:
        return image
    form = _form(image.mode)
    transform = _transform(reading.profile, form)
    if transform is None:
        return image
    if (
        image.mode == "RGB"
        and "transparency" not in image.info
        and image.width * image.height > LATE
        and _change(reading.profile, form) <= MILD
    ):
        image.info[_LATE] = transform
        return image
    return _converted(image, transform)


def finished(image: Image.Image) -> Image.Image:
    """A view or preview with the conversion that `painted` has put off."""
    conversion = image.info.get(_LATE)
    if conversion is None:
        return image
    image.info.pop(_LATE)
    if isinstance(conversion, HighRange):
        return tone_mapping.toned(image, conversion)
    return _applied(image, conversion)


def _toned(image: Image.Image, seen: HighRange) -> Image.Image:
    """Likewise for PQ and HLG; a large picture is always converted later, for its memory."""
    if not image.has_transparency_data:
        plain = _eight_bits(image).convert("RGB")
        if image.width * image.height > LATE:
            plain.info[_LATE] = seen
            return plain
        return tone_mapping.toned(plain, seen)
    rgba = image.convert("RGBA")
    done = tone_mapping.toned(rgba.convert("RGB"), seen)
    done.putalpha(rgba.getchannel("A"))
    return done


def _converted(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    """An RGB or RGBA copy with the transform applied to its colours alone."""
    form = transform.input_mode
    image = _eight_bits(image)
    if form == "CMYK" or not image.has_transparency_data:
        return _applied(image if image.mode == form else image.convert(form), transform)
    rgba = image.convert("RGBA")
    done = _applied(rgba.convert("RGB").convert(form), transform)
    done.putalpha(rgba.getchannel("A"))
    done.info.pop("transparency", None)
    return done


def _eight_bits(image: Image.Image) -> Image.Image:
    """Of 16 bits of grey the high byte, because `convert` alone clips."""
    if not image.mode.startswith("I"):
        return image
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")


def _applied(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    done: Image.Image = ImageCms.applyTransform(image, transform)  # type: ignore[assignment]
    return done  # None only with `inPlace`


def _form(mode: str) -> str:
    """The mode in which a picture of this mode is converted."""
    if mode == "CMYK":
        return "CMYK"
    return "L" if mode in ("1", "L", "LA", "I", "I;16", "I;16B") else "RGB"


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes, form: str) -> ImageCms.ImageCmsTransform | None:
    """The transform to sRGB; None if Little CMS cannot apply the profile to this form."""
    if not icc_profile.fits(profile, form):
        return None
    source = "RGB" if icc_profile.space(profile) == b"RGB " else form
    try:
        fast = _built(profile, source, ImageCms.Flags.NONE)
        if source == "CMYK":
            return fast
        # Its fast arithmetic overflows with a strong matrix, which a browser's does not.
        exact = _built(profile, source, ImageCms.Flags.NOOPTIMIZE)
        cube = _cube().convert(source)
        drift = _difference(_applied(cube, fast), _applied(cube, exact))
        return fast if drift <= SAME_ARITHMETIC else exact
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _built(profile: bytes, source: str, flags: ImageCms.Flags) -> ImageCms.ImageCmsTransform:
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    intent = ImageCms.Intent.PERCEPTUAL
    return ImageCms.buildTransform(opened, _srgb(), source, "RGB", intent, flags)


def _difference(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of two pictures, in levels."""
    bands = ImageChops.difference(one, other).getextrema()
    return max(int(high) for _, high in bands)  # type: ignore[misc]


@functools.lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@functools.lru_cache(maxsize=64)
def _change(profile: bytes, form: str) -> int:
    """By how many levels at most the profile changes a colour of the RGB cube; 255 for CMYK."""
    transform = _transform(profile, form)
    if transform is None or form == "CMYK":
        return 255
    cube = _cube().convert(transform.input_mode)
    return _difference(_applied(cube, transform), cube.convert("RGB"))


@functools.lru_cache(maxsize=1)
def _cube() -> Image.Image:
    """One pixel of each of 4096 colours, 16 levels a channel."""
    levels = bytes(range(0, 256, 17))
    return Image.frombytes(
        "RGB", (64, 64), bytes(v for r in levels for g in levels for b in levels for v in (r, g, b))
    )


def of_png(about: dict[bytes, bytes]) -> Profile | None:
    """The profile of a PNG by its chunks about colour, each of them sound; None for sRGB."""
    coded = about.get(b"cICP", b"")
    if len(coded) == 4 and coded[2] == 0:
        known, profile = icc_profile.of_code_points(coded[0], coded[1])
        if known:
            return profile
    profile = _of_iccp(about.get(b"iCCP", b""))
    if profile and icc_profile.is_sound(profile):
        return profile
    srgb = about.get(b"sRGB", b"")
    if len(srgb) == 1 and srgb[0] < 4:
        return None
    gamma = about.get(b"gAMA", b"")
    if len(gamma) != 4 or gamma == bytes(4):
        return profile
    chrm = about.get(b"cHRM", b"")
    points = struct.unpack(">8I", chrm) if len(chrm) == 32 else None
    return icc_profile.of_gamma(int.from_bytes(gamma, "big"), points) or profile


def _of_iccp(body: bytes) -> bytes | None:
    """The profile of an iCCP chunk: a name of 1 to 79 bytes, method 0, a whole zlib stream."""
    name, _, packed = body.partition(b"\0")
    if not 1 <= len(name) <= 79 or packed[:1] != b"\0":
        return None
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        return None
    return profile if inflate.eof else None
