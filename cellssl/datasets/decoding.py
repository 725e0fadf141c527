"""From an encoded picture to pixels: modes, size, and what is refused."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from cellssl.files import DAMAGE

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp")
# Told by content, not by suffix: ImageNet has a PNG that is called .JPEG.
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP")
_GREY = ("1", "L", "LA", "La")
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "LAB", "HSV")
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# EXIF's orientations that are not upright, and what makes them so: Pillow's own way writes all of EXIF
# anew, and fails where some of it is odd.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PictureError(ValueError):
    """One picture cannot be used; it says why."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture is, told by its header.

    Attributes
    ----------
    width, height : int
        In pixels, upright.
    kind : str
        ``grey``, ``colour`` (both 8 bits) or ``grey16``.
    changes : tuple of str
        What decoding does besides: ``what it is: what becomes of it``.
    """

    width: int
    height: int
    kind: str
    changes: tuple[str, ...] = ()


@contextmanager
def strict_decoding() -> Iterator[None]:
    """Make Pillow refuse decompression bombs at its limit, and not talk about odd metadata."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def open_bytes(data: bytes) -> Image.Image:
    """Open an encoded picture; its pixels are decoded later.

    Raises
    ------
    PictureError
        When it is no JPEG, PNG, TIFF or BMP, or has more pixels than Pillow takes for safe.
    """
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except _BOMBS:
        limit = f"{Image.MAX_IMAGE_PIXELS or 0:,}"
        raise PictureError(
            f"more than {limit} pixels, which may be a decompression bomb: make it smaller"
        ) from None
    except Image.UnidentifiedImageError:
        raise PictureError("no JPEG, PNG, TIFF or BMP by its content, or broken") from None
    except DAMAGE as error:
        raise PictureError(f"broken: {error}") from error


def look_at(image: Image.Image) -> Look:
    """Tell size and kind of an opened picture.

    Raises
    ------
    PictureError
        When it has several pages, or pixels that neither uint8 nor 16-bit grey can hold.
    """
    try:
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        orientation = _orientation(image)
    except DAMAGE as error:
        raise PictureError(f"broken: {error}") from error
    if pages > 1:
        raise PictureError(
            f"{pages} pages in one TIFF, wanted one picture: split it (a microscope's TIFFs are "
            "read by `cellssl plates index`)"
        )
    width, height = image.size[::-1] if orientation >= 5 else image.size
    kind = _kind(image)
    return Look(width, height, kind, _changes(image, kind, turned=orientation != 1))


def decode(image: Image.Image, kind: str, size: int) -> np.ndarray:
    """Decode a picture: its shorter side becomes `size`, and the middle square is kept.

    Bicubic with antialiasing, as torchvision's ``Resize`` and ``CenterCrop`` of a PIL image, but
    the longer side and the middle are not rounded to pixels. What is transparent is laid on white.

    Parameters
    ----------
    image : Image
        An opened picture.
    kind : str
        What all pictures become: ``grey``, ``colour`` or ``grey16``.
    size : int
        In pixels.

    Returns
    -------
    ndarray
        (C, size, size) uint8, or uint16 for ``grey16``; C is 1, or 3 for ``colour``.

    Raises
    ------
    PictureError
        When it is truncated or broken.
    """
    try:
        image.load()
        turn = _TURNS.get(_orientation(image))
        upright = image if turn is None else image.transpose(turn)
        if kind == "grey16":
            return _fit_deep(upright, size)[None]
        plain = _on_white(upright).convert("RGB" if kind == "colour" else "L")
        pixels = np.asarray(_fit(plain, size))
    except DAMAGE as error:
        raise PictureError(f"broken: {error}") from error
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _kind(image: Image.Image) -> str:
    """Sort a mode into grey, colour and grey16."""
    if image.mode.startswith("I;16"):
        return "grey16"
    if _coded_in_16_bits(image):
        raise PictureError(
            "16 bits in several channels, wanted 8 bits or one grey channel of 16: convert it"
        )
    if image.mode in _GREY:
        return "grey"
    if image.mode in _COLOUR:
        return "colour"
    raise PictureError(
        f"pixels of Pillow's mode {image.mode!r}, wanted 8-bit grey or colour, or 16-bit grey: "
        "convert it"
    )


def _changes(image: Image.Image, kind: str, *, turned: bool) -> tuple[str, ...]:
    """Say what a careful reader would want to know of; a palette is merely looked up."""
    said = {
        "CMYK: converted to RGB without their colour profile": image.mode == "CMYK",
        "in the colours of L*a*b* or HSV: converted to RGB": image.mode in ("LAB", "HSV"),
        "with transparency: laid on white": kind != "grey16" and image.has_transparency_data,
        "stored turned: set upright as EXIF says": turned,
    }
    return tuple(change for change, holds in said.items() if holds)


def _coded_in_16_bits(image: Image.Image) -> bool:
    """Say whether Pillow would throw the lower 8 bits away; only the decoder's arguments tell."""
    for tile in getattr(image, "tile", ()):
        arguments = tile[3]
        raw = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
        if isinstance(raw, str) and ";16" in raw:
            return True
    return False


def _orientation(image: Image.Image) -> int:
    """Read how a camera was held; Pillow turns a TIFF itself, and broken EXIF means upright."""
    # MPO is what Pillow calls a phone's JPEG with a second picture behind the first.
    if image.format not in ("JPEG", "MPO", "PNG") or "exif" not in image.info:
        return 1
    try:
        value = image.getexif().get(0x0112, 1)
    except DAMAGE:
        return 1
    return value if value in _TURNS else 1


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, layer)


def _fit(image: Image.Image, size: int) -> Image.Image:
    if image.size == (size, size):
        return image
    return ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)


def _fit_deep(image: Image.Image, size: int) -> np.ndarray:
    """Fit 16 bits: Pillow resamples floats exactly, and bicubic may leave the range."""
    pixels = np.asarray(image).astype(np.uint16)
    if image.size == (size, size):
        return pixels
    fitted = np.asarray(_fit(Image.fromarray(pixels.astype(np.float32)), size))
    return np.clip(np.rint(fitted), 0, 65535).astype(np.uint16)
