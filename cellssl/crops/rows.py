"""Reading rows of an array in HDF5 in any order, straight from the file where that is possible."""

import os
import threading
import weakref
from collections.abc import Sequence

import h5py
import numpy as np
import pandas as pd

from cellssl.crops.placing import chunk_places, runs
from cellssl.errors import CropError

_RUN = 256  # longest run read at once: bounds the memory of the intermediate copy
_WORTH = 3  # rows of the map of bytes that cost as much as it saves on one row that is read

Rows = Sequence[int] | np.ndarray | pd.Series | slice | int


def row_numbers(rows: Rows | None, length: int) -> np.ndarray:
    """Turn rows (numbers, a boolean mask, a slice, one number, None for all) into an int64 array.

    Raises
    ------
    IndexError
        When a row lies outside the file, or a mask has another length.
    """
    if rows is None:
        return np.arange(length)
    if isinstance(rows, slice):
        return np.arange(length)[rows]
    chosen = np.atleast_1d(np.asarray(rows))
    if chosen.dtype == bool:
        if chosen.shape != (length,):
            raise IndexError(f"a mask of shape {chosen.shape} for {length} cells")
        return np.flatnonzero(chosen)
    if chosen.size == 0:
        return np.empty(0, np.int64)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
        raise IndexError(f"rows must be whole numbers, got {chosen.dtype} of shape {chosen.shape}")
    chosen = chosen.astype(np.int64)
    if chosen.min() < -length or chosen.max() >= length:
        raise IndexError(f"row {chosen.min()} or {chosen.max()} outside 0 … {length - 1}")
    return np.where(chosen < 0, chosen + length, chosen)


def read_rows(dataset: h5py.Dataset, rows: np.ndarray) -> np.ndarray:
    """Read rows in any order through HDF5, repeated ones too; neighbours are read together."""
    result = np.empty((len(rows), *dataset.shape[1:]), dataset.dtype)
    for start, stop in runs(1, rows):
        for first in range(start, stop, _RUN):
            last = min(first + _RUN, stop)
            result[first:last] = dataset[rows[first] : rows[first] + last - first]
    return result


class RowReader:
    """Reads rows of one array of a file that is open for reading.

    HDF5 spends more time on finding a chunk than the system on reading it. Where each row's bytes
    lie in the file as they are (not compressed, a chunk or a part of one block for each row), they
    are read with ``pread`` instead, which needs neither HDF5's lock nor the file's position: any
    number of threads may read at once. Otherwise, and on systems without ``preadv``, HDF5 reads.

    Finding the bytes of all rows once takes about a third of what it then saves when all are read,
    so that is done when a third of them has been asked for.

    Parameters
    ----------
    dataset : h5py.Dataset
        (N, …) of an open file. The reader holds a handle of its own on the file: it goes on reading
        the same bytes when another file takes the name.
    places : ndarray, optional
        (N,) int64: where each row begins in the file, for who knows it already.
    """

    def __init__(self, dataset: h5py.Dataset, places: np.ndarray | None = None) -> None:
        self._dataset = dataset
        self._bytes = int(np.prod(dataset.shape[1:])) * dataset.dtype.itemsize
        self._offsets = _block_offsets(dataset, self._bytes)
        self._chunked = self._offsets is None and _chunks_are_rows(dataset)
        if self._chunked and places is not None:
            self._offsets, self._chunked = places, False
        self._asked = 0
        self._finding = threading.Lock()
        self._handle = -1
        if self._chunked or self._offsets is not None:
            self._handle = os.dup(dataset.file.id.get_vfd_handle())
            weakref.finalize(self, os.close, self._handle)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Read rows (n,) in any order, repeated ones too: (n, …) in the array's own type.

        Raises
        ------
        CropError
            When the file is damaged or has become shorter since it was opened.
        """
        self._asked += len(rows)
        if self._chunked and self._asked * _WORTH >= len(self._dataset):
            self._find_chunks()
        if self._offsets is not None:
            return self._read_bytes(rows)
        try:
            return read_rows(self._dataset, rows)
        except (OSError, RuntimeError, ValueError) as error:
            raise CropError(self._damage(str(error))) from error

    def _find_chunks(self) -> None:
        """Note where each row's chunk begins; a row that was never written has none."""
        with self._finding:
            if not self._chunked:
                return
            offsets = chunk_places(self._dataset)
            if (offsets >= 0).all():
                self._offsets = offsets
            self._chunked = False

    def _read_bytes(self, rows: np.ndarray) -> np.ndarray:
        result = np.empty((len(rows), *self._dataset.shape[1:]), self._dataset.dtype)
        into = result.reshape(-1).view(np.uint8).data
        places = self._offsets[rows]  # type: ignore[index]
        for start, stop in runs(self._bytes, places):
            self._fill(into[start * self._bytes : stop * self._bytes], int(places[start]))
        return result

    def _fill(self, into: memoryview, place: int) -> None:
        """Read until full: the system may give fewer bytes than asked for."""
        while len(into):
            try:
                got = os.preadv(self._handle, [into], place)
            except OSError as error:
                raise CropError(self._damage(str(error))) from error
            if not got:
                raise CropError(self._damage("it ends within a crop"))
            into, place = into[got:], place + got

    def _damage(self, reason: str) -> str:
        name = self._dataset.file.filename if self._dataset else "the crop file"
        return (
            f"{name} cannot be read ({reason}): it is damaged, or was cut while it was open; copy it "
            "again, or make it anew with `cellssl crop` or `cellssl crops import`"
        )


def _plain_bytes(dataset: h5py.Dataset) -> bool:
    """Say whether an array's bytes can be read around HDF5: one file, nothing packed or pending."""
    file, plist = dataset.file, dataset.id.get_create_plist()
    return (
        hasattr(os, "preadv")  # not on Windows
        and hasattr(dataset.id, "chunk_iter")  # HDF5 ≥ 1.14
        and (file.driver, file.mode, file.userblock_size) == ("sec2", "r", 0)
        and dataset.dtype.kind in "uif"
        and dataset.size > 0
        and plist.get_nfilters() == 0
    )


def _block_offsets(dataset: h5py.Dataset, row: int) -> np.ndarray | None:
    """Give where each row begins in one block of bytes (as anndata writes), or None."""
    plist = dataset.id.get_create_plist()
    if not _plain_bytes(dataset) or plist.get_layout() != h5py.h5d.CONTIGUOUS:
        return None
    start = dataset.id.get_offset()  # None: nothing written yet, or in another file
    if start is None or plist.get_external_count():
        return None
    return start + row * np.arange(len(dataset), dtype=np.int64)


def _chunks_are_rows(dataset: h5py.Dataset) -> bool:
    return dataset.chunks == (1, *dataset.shape[1:]) and _plain_bytes(dataset)
