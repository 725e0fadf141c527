"""One field of view: its images, one file per channel, read into one array."""

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile

from cellssl.errors import PlateError

__all__ = ["FieldError", "read_field"]

# What tifffile and the codecs behind it raise on files that are damaged in one way or another;
# the codecs' own errors (imagecodecs) are RuntimeErrors.
_DAMAGE = (
    tifffile.TiffFileError,
    OSError,
    ValueError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    LookupError,
    TypeError,
    ZeroDivisionError,
)


class FieldError(PlateError):
    """One field cannot be read; the others of its plate may be fine."""


def read_field(
    field: Mapping[Any, Any] | pd.Series | Sequence[str | Path],
    channels: Sequence[str] | None = None,
) -> np.ndarray:
    """Read a field as it was written, one plane per channel.

    Parameters
    ----------
    field
        A row of `PlateIndex.fields` (it has a ``Path_<channel>`` for each channel), a mapping from
        channel to path, or just the paths in the order wanted.
    channels
        The channels wanted, in this order; by default all that `field` has.

    Returns
    -------
    np.ndarray
        (C, Y, X) in the files' own dtype.

    Raises
    ------
    FieldError
        When a file is missing, empty, truncated or not a TIFF, is not a single grey plane (RGB,
        stack, several pages), or when channels differ in shape or dtype. The file is named.
    """
    paths = _paths(field, channels)
    planes = [_read_plane(path) for path in paths]
    first = planes[0]
    for path, plane in zip(paths, planes, strict=True):
        if plane.shape != first.shape:
            raise FieldError(
                f"{path} is {_size(plane)} pixels, but {paths[0].name} of the same field is "
                f"{_size(first)}: the channels of a field must have one size."
            )
        if plane.dtype != first.dtype:
            raise FieldError(
                f"{path} is {plane.dtype}, but {paths[0].name} of the same field is {first.dtype}: "
                "the channels of a field must have one pixel type."
            )
    return np.stack(planes)


def _paths(
    field: Mapping[Any, Any] | pd.Series | Sequence[str | Path], channels: Sequence[str] | None
) -> list[Path]:
    if isinstance(field, Sequence):
        if not field or (channels is not None and len(field) != len(channels)):
            wanted = "at least one" if channels is None else f"{len(channels)}"
            raise FieldError(f"got {len(field)} paths of a field, wanted {wanted}.")
        return [Path(path) for path in field]
    paths = {
        str(key).removeprefix("Path_"): value
        for key, value in field.items()
        if not str(key).startswith("Metadata_")
    }
    missing = [name for name in channels or () if name not in paths]
    if missing or not paths:
        raise FieldError(
            f"the field has no channel {', '.join(map(repr, missing))}; it has {', '.join(paths)}."
        )
    return [Path(paths[name]) for name in (paths if channels is None else channels)]


def _read_plane(path: Path) -> np.ndarray:
    """Read one grey plane (Y, X)."""
    try:
        size = path.stat().st_size
        if size == 0:
            raise FieldError(f"{path} is empty (0 bytes): copy it again or take it out.")
        with tifffile.TiffFile(path) as file:
            page = _only_page(file, path)
            _check_whole(page, size, path)
            return page.asarray()
    except FieldError:
        raise
    except FileNotFoundError as error:
        raise FieldError(f"{path} is not there (any more): index the plate again.") from error
    except _DAMAGE as error:
        raise FieldError(
            f"{path} cannot be read as a TIFF ({error}): copy it again or take it out."
        ) from error


def _only_page(file: tifffile.TiffFile, path: Path) -> tifffile.TiffPage:
    """Give the file's page when there is just one, grey and flat."""
    pages = len(file.pages)
    if pages != 1:
        raise FieldError(
            f"{path} holds {pages} pages; wanted one grey plane. Split stacks into planes, or "
            "project them, first."
        )
    page = file.pages.first
    shape = file.series[0].shape if file.is_stk else page.shape
    if len(shape) != 2 or page.samplesperpixel != 1:
        kind = "colour" if page.samplesperpixel > 1 else "a stack"
        raise FieldError(
            f"{path} has shape {shape} ({kind}); wanted one grey plane (Y, X) per channel. "
            "Export every channel to a file of its own."
        )
    return page


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
    if len(offsets) < math.prod(page.chunked) or (not packed and sum(counts) < page.nbytes):
        raise FieldError(
            f"{path} is damaged: it is said to have {page.shape[0]:,} × {page.shape[1]:,} pixels, "
            "but holds fewer. Copy it again or take it out."
        )


def _size(plane: np.ndarray) -> str:
    return " × ".join(map(str, plane.shape))
