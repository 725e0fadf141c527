"""Label images that were made elsewhere, one per field, as a segmenter."""

import bisect
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from cellssl.cells.binning import bin_labels
from cellssl.cells.segmentation.bodies import number_cells
from cellssl.cells.segmentation.label_faults import check_background, check_cells, check_objects
from cellssl.cells.segmentation.labels import Labels, find_nucleus_channel
from cellssl.columns import bare_name
from cellssl.errors import PlateError
from cellssl.plates import FieldError, files_of, label_address, read_field, read_labels
from cellssl.plates.addresses import Address
from cellssl.plates.planes import DAMAGE

_VERSION = 2  # raise it when the same files come to mean other objects
_ENDINGS = (".tif", ".tiff", ".png", ".npy")
_MOST = 10_000_000  # the largest number of an object: tables are as long as it
_SHOWN = 3
_IN_ZARR = "labels/"  # where OME-Zarr puts the labels of an image


@dataclass(frozen=True)
class LabelImages:
    """Nuclei, and perhaps cells, from label images: TIFF, PNG or NPY, one per field.

    Attributes
    ----------
    nuclei : str
        Where a field's label image lies: a path with ``{plate}``, ``{well}``, ``{site}``,
        ``{image}`` (the name of the nucleus channel's file without its ending) or the name of any
        metadata column in braces, such as ``masks/{plate}/{well}_s{site:02d}.png``; or a folder,
        where the file's name begins with that of the nucleus channel's file; or, of a plate in
        OME-Zarr, the group that each image holds its labels in: ``labels/nuclei``.
    cells : str or None
        The same for whole cells. They may be numbered on their own: each takes the number of the
        nucleus that covers most of it.
    nucleus_channel : str or None
        The channel whose file gives ``{image}``; by default the one named like a DNA stain, or the
        first.
    addresses : tuple of str
        Where the label images of the field lie that this segmenter is for; see `for_field`.
    problem : str
        Why there are none.
    binning : int
        Side in pixels of the blocks that the field is averaged over; label images have its full size.

    Examples
    --------
    >>> everywhere = LabelImages("masks/{well}_{site:02d}.png")
    >>> here = everywhere.for_field({"Metadata_Well": "B02", "Metadata_Site": 3})
    >>> here.files[0].name
    'B02_03.png'
    """

    nuclei: str
    cells: str | None = None
    nucleus_channel: str | None = None
    addresses: tuple[str, ...] = ()
    problem: str = ""
    binning: int = 1

    @property
    def name(self) -> str:
        """``labels``."""
        return "labels"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the field's label images."""
        return tuple(file for address in self.addresses for file in files_of(address))

    def settings(self) -> dict[str, Any]:
        """Give what the result depends on, apart from the files."""
        return {
            "version": _VERSION,
            "nuclei": self.nuclei,
            "cells": self.cells,
            "nucleus_channel": self.nucleus_channel,
        }

    def check(self, channels: Sequence[str]) -> None:
        """Make sure that each field can have a label image of its own.

        Raises
        ------
        PlateError
            When a folder is not there, or a pattern names the same file for every field.
        """
        if self.nucleus_channel is not None:
            find_nucleus_channel(channels, self.nucleus_channel)
        for text in self._texts():
            if not (_names(text) or Path(text).is_dir() or text.startswith(_IN_ZARR)):
                raise PlateError(
                    f"{text} is no folder of label images, and names no field: wanted an existing "
                    "folder, or a path such as masks/{plate}_{well}_{site}.tif ({plate}, {well}, "
                    f"{{site}}, {{image}} or a metadata column); or, in OME-Zarr, {_IN_ZARR}NAME"
                )

    def for_field(self, row: Mapping[str, Any], binning: int = 1) -> "LabelImages":
        """Give the segmenter of one field, a row of the index, whose pixels are binned.

        Raises
        ------
        PlateError
            When a pattern asks for what the index does not have.
        """
        image = self._image(row)
        try:
            addresses = tuple(_find(text, row, image) for text in self._texts())
        except FieldError as error:
            return replace(self, problem=str(error))
        return replace(self, addresses=addresses, binning=binning)

    def segment(self, field: np.ndarray, channels: Sequence[str]) -> Labels:  # noqa: ARG002
        """Read the label images of a field (C, Y, X).

        Raises
        ------
        FieldError
            When one is missing, cannot be read, or does not fit.
        """
        if not self.addresses:
            raise FieldError(self.problem or "label images are read for one field: see for_field")
        nuclei, *cells = (_read(one, field.shape[1:], self.binning) for one in self.addresses)
        check_background(nuclei, self.addresses[0])
        if not cells:
            return Labels(nuclei)
        check_cells(nuclei, cells[0], self.addresses[1])
        return Labels(nuclei, number_cells(nuclei, cells[0]))

    def _texts(self) -> list[str]:
        return [text for text in (self.nuclei, self.cells) if text is not None]

    def _image(self, row: Mapping[str, Any]) -> str | None:
        """Give the address of the channel that names label images."""
        channels = [key.removeprefix("Path_") for key in row if key.startswith("Path_")]
        if not channels:
            return None
        try:
            chosen = channels[find_nucleus_channel(channels, self.nucleus_channel)]
        except PlateError:
            chosen = channels[0]
        return str(row[f"Path_{chosen}"])


def _names(text: str) -> list[str]:
    """List what stands in braces.

    Raises
    ------
    PlateError
        When the braces do not close.
    """
    try:
        return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise PlateError(f"the braces of {text!r} do not fit together ({error})") from error


def _find(text: str, row: Mapping[str, Any], image: str | None) -> str:
    """Find a field's label image."""
    if _names(text):
        return str(Path(_filled(text, row, image)).absolute())
    if image is None:
        raise PlateError(f"{text} is a folder, and the index has no images to find labels by")
    if Path(text).is_dir():
        return str(_beginning_like(files_of(image)[0], text).absolute())
    return label_address(image, text)


def _beginning_like(image: Path, text: str) -> Path:
    """Find the file in a folder whose name begins with an image's."""
    stem = _stem(image)
    names = _listed(text, Path(text).stat().st_mtime_ns)
    begin = bisect.bisect_left(names, stem)
    found = []
    for name in names[begin:]:
        if not name.startswith(stem):
            break
        follows = name[len(stem) : len(stem) + 1]
        if not follows.isalnum() and Path(text, name).absolute() != image.absolute():
            found.append(name)
    if len(found) == 1:
        return Path(text, found[0])
    if not found:
        raise FieldError(f"{text} has no label image whose name begins with {stem}")
    shown = ", ".join(found[:_SHOWN])
    raise FieldError(
        f"{text} has {len(found)} label images whose names begin with {stem} ({shown}): say which "
        f"with a pattern, such as {Path(text, '{image}' + found[0].removeprefix(stem))}"
    )


def _filled(text: str, row: Mapping[str, Any], image: str | None) -> str:
    """Put a field's values into a pattern."""
    values: dict[str, Any] = {
        bare_name(key): value for key, value in row.items() if key.startswith("Metadata_")
    }
    site = str(values.get("Site", ""))
    if site.isdecimal():  # a text in every index, which {site:02d} would refuse
        values["Site"] = int(site)
    values |= {key.lower(): value for key, value in values.items()}
    if image is not None:
        values["image"] = _stem(files_of(image)[0])
    try:
        return text.format_map(values)
    except KeyError as error:
        raise PlateError(
            f"{text!r} asks for {{{error.args[0]}}}; the index has "
            f"{', '.join(f'{{{name}}}' for name in values)}"
        ) from error
    except (ValueError, AttributeError, IndexError, TypeError) as error:
        raise PlateError(f"{text!r} cannot be filled in ({error})") from error


def _stem(image: Path) -> str:
    """Give a file's name without the endings of an image."""
    name = image.name
    for ending in (*_ENDINGS, ".ome"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name


@lru_cache(maxsize=8)
def _listed(folder: str, _changed: int) -> list[str]:
    """List a folder's images, sorted; anew when it has changed."""
    return sorted(p.name for p in Path(folder).iterdir() if p.suffix.lower() in _ENDINGS)


def _read(path: str, shape: tuple[int, ...], binning: int) -> np.ndarray:
    """Read the label image at an address that fits a field, both binned: (Y, X) int32."""
    inside = Address.parse(path).planes[0].at is not None
    whole = read_labels(path) if inside else _load(Path(path))
    numbers = _whole_numbers(whole, path)
    labels = bin_labels(numbers, binning) if whole.ndim == len(shape) else numbers
    if labels.shape != shape:
        size, wanted = (" × ".join(map(str, one)) for one in (whole.shape, shape))
        binned = f" once it is binned by {binning}" if binning > 1 else ""
        raise FieldError(
            f"{path} is {size} pixels, its field {wanted}{binned}: make it of the image as it is, or "
            "resize it without interpolation"
        )
    if labels.min(initial=0) < 0 or labels.max(initial=0) > _MOST:
        raise FieldError(
            f"{path} has numbers from {labels.min()} to {labels.max()}: wanted 0 to {_MOST:,}"
        )
    numbers = labels.astype(np.int32)
    check_objects(numbers, path, eight_bits=whole.dtype == np.uint8)
    return numbers


def _whole_numbers(labels: np.ndarray, path: str) -> np.ndarray:
    """Give labels as integers; as floats, such as ImageJ's of 32 bits, they must be whole numbers too."""
    if labels.dtype.kind in "iu":
        return labels
    if labels.dtype.kind == "b":  # a mask of black and white, of one object maybe
        return labels.astype(np.uint8)
    # What float32 holds beyond 2^24 may have been another whole number.
    if labels.dtype.kind == "f" and np.abs(labels).max(initial=0) <= _MOST:
        whole = labels.astype(np.int64)
        if np.array_equal(whole, labels):
            return whole
    raise FieldError(
        f"{path} holds {labels.dtype} of which not all are whole: wanted 0 for the background and one whole "
        "number per object, not interpolated and not scaled to 1"
    )


def _load(path: Path) -> np.ndarray:
    """Read a file's array; what is wrong with it is said with its name."""
    kind = path.suffix.lower()
    if kind not in _ENDINGS:
        raise FieldError(f"{path} is no label image: wanted {', '.join(_ENDINGS)}")
    if kind in (".tif", ".tiff"):
        return _read_tiff(path)
    try:
        if kind == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        with Image.open(path) as picture:
            return np.asarray(picture)
    except FileNotFoundError as error:
        raise FieldError(f"{path} is not there") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise FieldError(f"{path} cannot be read ({error})") from error


def _read_tiff(path: Path) -> np.ndarray:
    """Read the one plane of a TIFF; what is said of images of channels helps nobody with labels."""
    if not path.is_file():
        raise FieldError(f"{path} is not there")
    try:
        return read_field([path])[0]
    except FieldError as error:
        shape = _shape(path)
        if len(shape) == 2:
            raise
        raise FieldError(
            f"{path} has shape {shape}: wanted one plane (Y, X) of numbers, not the colours or the stack made of it"
        ) from error


def _shape(path: Path) -> tuple[int, ...]:
    """Give the shape of a TIFF's array; (0, 0) of a damaged one."""
    try:
        with tifffile.TiffFile(path) as file:
            return tuple(file.series[0].shape)
    except DAMAGE:
        return (0, 0)
