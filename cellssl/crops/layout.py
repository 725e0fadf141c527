"""How crops lie in an HDF5 file, so that plain anndata opens it.

AnnData's ``write_h5ad`` makes arrays of fixed length from memory, and ``backed="r"`` loads ``obsm``
whole; a plate's crops fit neither. So the pixels are written by hand in AnnData's on-disk layout
(encodings 0.1.0 and 0.2.0, https://anndata.readthedocs.io/en/latest/fileformat-prose.html):
resizable and chunked.

**One chunk is one cell** with all its channels, since training and embedding read single cells in
random order and a chunk is always read whole. Of 4,000 cells of 3 × 96 × 96 uint16, reading 2,000
at random took 30 µs a cell with one cell a chunk, 85 µs with 4 and 145 µs with 16; runs of
neighbours cost the same whatever the chunk. h5py's own fancy index took 2,300 µs a cell (it joins
selections pairwise), so rows are read run by run. Pixels are not compressed, since noise hardly
compresses and unpacking would cost more than reading; masks are (gzip 1 makes them far smaller).
"""

from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

__all__ = ["PIXELS", "STENCILS", "Rows", "create_arrays", "create_file", "read_rows", "row_numbers"]

PIXELS = "obsm/crops"
STENCILS = "obsm/masks"
_RUN = 256  # longest run read at once: bounds the memory of the intermediate copy

Rows = Sequence[int] | np.ndarray | slice | int


def create_file(path: str) -> h5py.File:
    """Make an empty AnnData file with all the groups that anndata expects."""
    file = h5py.File(path, "w")
    _encode(file, "anndata", "0.1.0")
    for name in ("layers", "obsm", "obsp", "uns", "varm", "varp"):
        _encode(file.create_group(name), "dict", "0.1.0")
    return file


def create_arrays(file: h5py.File, pixels: np.ndarray, masks: np.ndarray | None) -> None:
    """Add the empty, growing arrays for pixels and masks, shaped and typed as the first batch."""
    file.create_dataset(
        PIXELS,
        shape=(0, *pixels.shape[1:]),
        maxshape=(None, *pixels.shape[1:]),
        chunks=(1, *pixels.shape[1:]),
        dtype=pixels.dtype,
    )
    _encode(file[PIXELS], "array", "0.2.0")
    if masks is not None:
        file.create_dataset(
            STENCILS,
            shape=(0, *masks.shape[1:]),
            maxshape=(None, *masks.shape[1:]),
            chunks=(1, *masks.shape[1:]),
            dtype=np.uint8,
            compression="gzip",
            compression_opts=1,
        )
        _encode(file[STENCILS], "array", "0.2.0")


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
    """Read rows in any order, repeated ones too; neighbours are read together."""
    result = np.empty((len(rows), *dataset.shape[1:]), dataset.dtype)
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    for start, stop in zip([0, *breaks], [*breaks, len(rows)], strict=True):
        for first in range(start, stop, _RUN):
            last = min(first + _RUN, stop)
            result[first:last] = dataset[rows[first] : rows[first] + last - first]
    return result


def _encode(target: Any, kind: str, version: str) -> None:
    target.attrs["encoding-type"] = kind
    target.attrs["encoding-version"] = version
