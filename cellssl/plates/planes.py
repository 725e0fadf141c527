"""Planes of pixels from TIFF pages, PNGs and OME-Zarr arrays; nothing else of a file is decoded."""

import math
from pathlib import Path
from typing import Self, cast

import numpy as np
import tifffile
from PIL import Image

from cellssl import files
from cellssl.errors import PlateError
from cellssl.plates.addresses import Address, Plane

# What reading a plane raises where its file is damaged.
DAMAGE: tuple[type[Exception], ...] = (
    *files.DAMAGE,
    tifffile.TiffFileError,
    Image.DecompressionBombError,
)


class FieldError(PlateError):
    """One field cannot be read; the others of its plate may be fine."""


class PlaneReader:
    """Reads planes; planes that follow each other in one TIFF share its opened file."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._file: tifffile.TiffFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def read(self, address: Address) -> np.ndarray:
        """Read what an address stands for: (Y, X), in the file's own type.

        Two planes are in memory at most, whatever the number of those projected.

        Raises
        ------
        FieldError
            When a plane cannot be read, or those of a projection differ in shape or type.
        """
        first = address.planes[0]
        image = self._plane(first)
        if address.projection is None:
            return image
        mean = address.projection == "mean"
        total = image.astype(np.float64) if mean else image
        for plane in address.planes[1:]:
            other = self._plane(plane)
            if (other.shape, other.dtype) != (image.shape, image.dtype):
                raise FieldError(
                    f"{plane} is {_kind(other)}, but {first.path.name} of the same channel is "
                    f"{_kind(image)}: the planes of a projection must be alike."
                )
            (np.add if mean else np.maximum)(total, other, out=total)
        if mean:
            total /= len(address.planes)
            if image.dtype.kind in "iu":
                np.round(total, out=total)
        return total.astype(image.dtype, copy=False)

    def _plane(self, plane: Plane) -> np.ndarray:
        return self._from_file(plane) if plane.at is None else _from_zarr(plane)

    def _from_file(self, plane: Plane) -> np.ndarray:
        """Read a PNG, or a page of a TIFF."""
        path = plane.path
        kind = "PNG" if path.suffix.lower() == ".png" else "TIFF"
        try:
            size = path.stat().st_size
            if size == 0:
                raise FieldError(f"{path} is empty (0 bytes): copy it again or take it out.")
            if kind == "PNG":
                return _from_png(plane)
            page = _grey_page(self._open(path), plane)
            _check_whole(page, size, path)
            return _upright(page, page.asarray())
        except FieldError:
            raise
        except FileNotFoundError as error:
            raise FieldError(f"{path} is not there (any more): index the plate again.") from error
        except DAMAGE as error:
            raise FieldError(
                f"{path} cannot be read as a {kind} ({error}): copy it again or take it out."
            ) from error

    def _open(self, path: Path) -> tifffile.TiffFile:
        if self._file is None or self._path != path:
            self._close()
            self._file = tifffile.TiffFile(path)
            self._path = path
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._path, self._file = None, None


def refusal(plane: Plane) -> str:
    """Say, by its header alone, why a file is no grey plane; "" where it is, or where reading it says more."""
    try:
        if plane.at is None and plane.path.suffix.lower() == ".png":
            with Image.open(plane.path, formats=["PNG"]) as picture:
                _check_grey(picture, plane)
        elif plane.at is None:
            with tifffile.TiffFile(plane.path) as file:
                _grey_page(file, plane)
    except FieldError as error:
        return str(error)
    except DAMAGE:
        return ""
    return ""


def _grey_page(file: tifffile.TiffFile, plane: Plane) -> tifffile.TiffPage:
    """Give the page that is meant, when it is grey and flat; without a number, the only one."""
    pages = len(file.pages)
    if plane.page is None and pages != 1 and not _only_smaller(file):
        raise FieldError(
            f"{plane.path} holds {pages} pages; wanted one grey plane. Index it with --layout "
            "ome-tiff when it is an OME-TIFF or a hyperstack of ImageJ (where its name says the channel, with "
            "--pattern); split other stacks into planes, or project them, first."
        )
    if plane.page is not None and plane.page >= pages:
        raise FieldError(
            f"{plane} asks for page {plane.page}, but the file's last is {pages - 1}: it is "
            "truncated, or has changed since it was indexed."
        )
    page = file.pages.first if not plane.page else cast("tifffile.TiffPage", file.pages[plane.page])
    shape = file.series[0].shape if file.is_stk else page.shape
    if len(shape) != 2 or page.samplesperpixel != 1:
        kind = "colour" if page.samplesperpixel > 1 else "a stack"
        raise FieldError(
            f"{plane} has shape {shape} ({kind}); wanted one grey plane (Y, X) per channel. "
            "Export every channel to a file of its own, or leave this one out when indexing: name the "
            "channels that are wanted with --channel."
        )
    return page


def _only_smaller(file: tifffile.TiffFile) -> bool:
    """Say whether all pages but the first are smaller copies of it: a pyramid's, or a thumbnail."""
    return all(cast("tifffile.TiffPage", page).is_reduced for page in file.pages[1:])


def _upright(page: tifffile.TiffPage, image: np.ndarray) -> np.ndarray:
    """Turn an image over whose white is 0, as TIFF has it; ImageJ only shows its own the other way."""
    inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and not page.is_imagej
    return np.invert(image) if inverted and image.dtype.kind == "u" else image


def _check_whole(page: tifffile.TiffPage, size: int, path: Path) -> None:
    """Refuse a file without all of its pixels: tifffile would fill the rest with zeros."""
    offsets, counts = page.dataoffsets, page.databytecounts
    end = max((start + count for start, count in zip(offsets, counts, strict=True)), default=0)
    if end > size or not any(counts):
        raise FieldError(
            f"{path} is truncated ({size:,} bytes, its pixels end at {end:,}): copy it again or "
            "take it out."
        )
    packed = page.compression != tifffile.COMPRESSION.NONE
    least = math.prod(page.shape) * page.bitspersample // 8  # some cameras write 12 bits a pixel
    if len(offsets) < math.prod(page.chunked) or (not packed and sum(counts) < least):
        raise FieldError(
            f"{path} is damaged: it is said to have {page.shape[0]:,} × {page.shape[1]:,} pixels, "
            "but holds fewer. Copy it again or take it out."
        )


def _from_png(plane: Plane) -> np.ndarray:
    """Read a grey PNG of 8 or 16 bits; one that is cut short is refused by Pillow."""
    if plane.page:
        raise FieldError(f"{plane} asks for page {plane.page}: a PNG holds one picture.")
    with Image.open(plane.path, formats=["PNG"]) as picture:
        _check_grey(picture, plane)
        return np.array(picture)  # a copy of its own: a projection writes into it


def _check_grey(picture: Image.Image, plane: Plane) -> None:
    """Refuse a PNG of colours, or of another depth."""
    if picture.mode not in ("L", "I;16"):
        raise FieldError(
            f"{plane.path} is no grey PNG of 8 or 16 bits (Pillow calls it {picture.mode}); wanted one grey plane "
            "per channel. Export every channel to a file of its own."
        )


def _from_zarr(plane: Plane) -> np.ndarray:
    """Read the chunks of one plane of a Zarr array."""
    import zarr

    path, at = plane.path, plane.at or ()
    if not path.is_dir():
        raise FieldError(f"{path} is not there (any more): index the plate again.")
    try:
        array = zarr.open_array(path, mode="r")
        if array.ndim != len(at) + 2 or any(i >= n for i, n in zip(at, array.shape, strict=False)):
            raise FieldError(
                f"{plane} is no plane of this array, whose shape is {array.shape}: index the plate "
                "again."
            )
        if not plane.files()[1:]:
            raise FieldError(
                f"{plane} has no pixels: none of its chunks is there. Copy the plate again, or take "
                "this image out."
            )
        return np.asarray(array[at])
    except FieldError:
        raise
    except DAMAGE as error:
        raise FieldError(
            f"{plane} cannot be read as Zarr ({error}): copy it again or take it out."
        ) from error


def _kind(image: np.ndarray) -> str:
    return f"{' × '.join(map(str, image.shape))} {image.dtype}"
