"""Finished fields on disk, so that a killed run loses at most the fields it was working on."""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellssl.cells.objects import FieldCells
from cellssl.files import atomic

__all__ = ["Part", "is_whole", "part_name", "write_part"]

_FIELD = ("background", "saturated", "shape", "found", "seconds")
_CELLS = ("images", "masks", "labels", "centers", "areas", "quality")


def part_name(settings: Mapping[str, Any], paths: Sequence[Path]) -> str:
    """Name a field's part after everything it depends on: settings, files, their sizes and times.

    A part made with other settings, or from a file that has changed since, is never taken for this
    one.
    """
    files = [[str(path), *_stamp(path)] for path in paths]
    text = json.dumps([dict(settings), files], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24] + ".npz"


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (-1, -1)  # not there: reading it will say so
    return status.st_size, status.st_mtime_ns


def write_part(path: Path, cells: FieldCells) -> None:
    """Write a finished field, whole or not at all.

    The disk is not waited for: it would be most of the time of two workers. A power cut may leave a
    damaged part, which `is_whole` tells.
    """
    with atomic(path, flush=False) as temporary, temporary.open("wb") as file:
        values = {name: getattr(cells, name) for name in (*_CELLS, *_FIELD)}
        # Type and number again, so that they can be told without reading the pixels.
        cut, dtype = np.array(len(cells.labels)), np.array(cells.images.dtype.str)
        np.savez(file, cut=cut, dtype=dtype, **values)


def is_whole(path: Path) -> bool:
    """Say whether a finished field is there and can be read to its last pixel."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


class Part:
    """A finished field: what concerns the field at once, what concerns its cells when asked.

    Attributes
    ----------
    found, cut : int
        Nuclei in the field, and those whose window lies inside it.
    dtype, shape
        Of the field.
    background, saturated : ndarray
        (C,) of the field.
    seconds : float
        How long it took.
    """

    __slots__ = ("background", "cut", "dtype", "found", "path", "saturated", "seconds", "shape")

    def __init__(self, path: Path) -> None:
        self.path = path
        with np.load(path, allow_pickle=False) as file:
            self.found, self.cut = int(file["found"]), int(file["cut"])
            self.seconds = float(file["seconds"])
            self.background, self.saturated = file["background"], file["saturated"]
            self.shape = tuple(int(side) for side in file["shape"])
            self.dtype = np.dtype(str(file["dtype"]))

    def read(self, *names: str) -> list[np.ndarray]:
        """Read some of the cells' arrays, as `FieldCells` names them."""
        with np.load(self.path, allow_pickle=False) as file:
            return [file[name] for name in names]
