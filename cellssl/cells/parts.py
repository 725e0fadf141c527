"""Finished fields on disk, so that a killed run loses at most the fields it was working on."""

import hashlib
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from cellssl.cells.objects import FieldCells
from cellssl.crops.packing import PackedMasks
from cellssl.crops.placing import Piece
from cellssl.files import atomic

_NAMES = struct.Struct("<26xHH")  # of a file in a zip: the lengths of its name and of what follows


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


def facts_type(channels: int) -> np.dtype:
    """Give the type of what is kept of a field as a whole: few bytes, since all are held at once.

    ``found``, ``cut``: nuclei in the field, and those whose window lies inside it. ``seconds``: how
    long it took. ``shape``: of the field. ``dtype``: of its channels, see `FieldCells.types`.
    ``transmitted``: see `FieldCells`. ``background``, ``saturated``: of each channel.
    """
    each = (np.float32, (channels,))
    return np.dtype(
        [
            ("found", np.int32),
            ("cut", np.int32),
            ("seconds", np.float32),
            ("transmitted", np.bool_),
            ("shape", np.int32, (2,)),
            ("dtype", f"U{3 * channels}"),
            ("background", *each),
            ("saturated", *each),
        ]
    )


def write_part(path: Path, cells: FieldCells) -> None:
    """Write a finished field, whole or not at all.

    The disk is not waited for: it would be most of the time of two workers. A power cut may leave a
    damaged part, which `is_whole` tells.
    """
    masks = PackedMasks.of(cells.masks)
    facts = np.zeros((), facts_type(len(cells.background)))
    for name in ("found", "seconds", "transmitted", "shape", "background", "saturated"):
        facts[name] = getattr(cells, name)
    facts["cut"], facts["dtype"] = len(cells.labels), cells.types or cells.images.dtype.str
    table = _side_by_side(
        label=cells.labels,
        center=cells.centers,
        areas=cells.areas,
        quality=cells.quality,
        packed=np.array([len(stream) for stream in masks.streams], np.int32),
    )
    arrays = {
        "facts": facts,
        "cells": table,
        "masks": np.frombuffer(b"".join(masks.streams), np.uint8),
        "images": cells.images,
    }
    with atomic(path, flush=False) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                _write_array(file, array)


def _write_array(file: IO[bytes], array: np.ndarray) -> None:
    """Do what `numpy.savez` does, without a copy of the pixels, which costs more than writing them."""
    about = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(file, about)
    file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _side_by_side(**columns: np.ndarray) -> np.ndarray:
    """Put columns (n, …) into one array of n records, which is read at once."""
    kinds = [(name, values.dtype, values.shape[1:]) for name, values in columns.items()]
    table = np.empty(len(next(iter(columns.values()))), kinds)
    for name, values in columns.items():
        table[name] = values
    return table


def is_whole(path: Path) -> bool:
    """Say whether a finished field is there and can be read to its last pixel."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def read_facts(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read what is known of a finished field: its facts (see `facts_type`), and its `Part.cells`."""
    with np.load(path, allow_pickle=False) as file:
        return file["facts"], file["cells"]


@dataclass(frozen=True)
class Part:
    """The n cells of a finished field; their pixels are on disk until they are asked for.

    Attributes
    ----------
    path : Path
        The file.
    cells : ndarray
        (n,) rows: ``label``, ``center`` (y, x), ``areas``, ``quality`` as `FieldCells` has them.
    masks : list of bytes
        Of n cells, see `PackedMasks.streams`.
    shape, dtype : tuple, dtype
        (n, C, S, S) and the type of their pixels.
    place : int
        Where these begin in the file.
    """

    path: Path
    cells: np.ndarray
    masks: list[bytes]
    shape: tuple[int, ...]
    dtype: np.dtype
    place: int

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read all but the pixels."""
        with np.load(path, allow_pickle=False) as file:
            cells, packed = file["cells"], file["masks"].tobytes()
            ends = np.cumsum(cells["packed"]).tolist()
            streams = [packed[start:end] for start, end in zip([0, *ends], ends, strict=False)]
            start = file.zip.getinfo("images.npy").header_offset
        return cls(path, cells, streams, *_find_pixels(path, start))

    def pixels(self, chosen: np.ndarray) -> Piece:
        """Say where the pixels of the cells that are marked (n,) lie.

        They can be read there around the zip and its checksum, which `is_whole` looks at.
        """
        return Piece(self.path, self.place, chosen)


def _find_pixels(path: Path, start: int) -> tuple[tuple[int, ...], np.dtype, int]:
    """Give shape, type and place of an array that is stored as it is in a zip, from its entry there."""
    with path.open("rb") as file:
        file.seek(start)
        file.seek(sum(_NAMES.unpack(file.read(_NAMES.size))), 1)
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        return shape, dtype, file.tell()
