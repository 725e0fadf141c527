"""Finished fields on disk, so that a killed run loses at most the fields it was working on."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cellssl.cells.objects import FieldCells
from cellssl.files import atomic

__all__ = ["Part", "part_name", "write_part"]

_SCALARS = ("found", "seconds")
_ARRAYS = ("images", "masks", "labels", "centers", "areas", "shape")


def part_name(settings: Mapping[str, Any], paths: list[str]) -> str:
    """Name a field's part after everything it depends on: settings, files, their sizes and times.

    A part made with other settings, or from a file that has changed since, is never taken for this
    one.
    """
    files = [[path, *_stamp(Path(path))] for path in paths]
    text = json.dumps([dict(settings), files], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24] + ".npz"


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (-1, -1)  # not there: reading it will say so
    return status.st_size, status.st_mtime_ns


def write_part(path: Path, cells: FieldCells) -> None:
    """Write a finished field, whole or not at all."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        values = {name: getattr(cells, name) for name in (*_ARRAYS, *_SCALARS)}
        # The type again, so that it can be told without reading the pixels.
        np.savez(file, dtype=np.array(cells.images.dtype.str), **values)


class Part:
    """A finished field; its small arrays are read at once, pixels and masks only when asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with np.load(path, allow_pickle=False) as file:
            self.found = int(file["found"])
            self.seconds = float(file["seconds"])
            self.labels, self.centers = file["labels"], file["centers"]
            self.areas, self.shape = file["areas"], tuple(int(side) for side in file["shape"])
            self.dtype = np.dtype(str(file["dtype"]))

    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Read the images (n, C, S, S) and masks (n, M, S, S)."""
        with np.load(self.path, allow_pickle=False) as file:
            return file["images"], file["masks"]
