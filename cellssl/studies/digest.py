"""What a file holds, as a short text: a copy has the same one whatever its time says."""

import hashlib
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np

from cellssl.crops.batches import evenly

_WHOLE = 1 << 28  # bytes of a file, hashed in a quarter of a second
_TABLE = 1 << 26  # bytes of an array in a larger one that is hashed whole
_ROWS = 1000  # of any longer array


def digest(path: str | Path) -> str:
    """Hash what a file holds, within seconds: once in a process, until the file changes.

    Of HDF5 files of more than 256 MB all tables and settings are hashed, but of each array of more than 64 MB (pixels,
    masks, features of many cells) a thousand rows, evenly over them: reading millions of cells takes minutes, and
    whoever changes pixels changes those of more cells than one.

    Examples
    --------
    >>> import tempfile
    >>> table, copy = (Path(tempfile.mkdtemp()) / name for name in ("a.csv", "b.csv"))
    >>> _ = table.write_text("x"), copy.write_text("x")
    >>> digest(table) == digest(copy)
    True
    """
    path = Path(path)
    state = path.stat()
    return _digest(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4096)
def _digest(path: Path, size: int, _changed: int) -> str:
    if size > _WHOLE and h5py.is_hdf5(path):
        return _digest_arrays(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_arrays(path: Path) -> str:
    told = hashlib.sha256()

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        told.update(repr((name, sorted(item.attrs))).encode())
        for key in sorted(item.attrs):
            told.update(_as_bytes(np.asarray(item.attrs[key])))
        if isinstance(item, h5py.Dataset):
            told.update(repr((item.shape, item.dtype.str)).encode())
            for values in _rows(item):
                told.update(_as_bytes(values))

    with h5py.File(path) as file:
        add("", file)  # which is not visited
        file.visititems(add)
    return told.hexdigest()


def _rows(array: h5py.Dataset) -> list[np.ndarray]:
    """Read an array, or some rows of a long one."""
    if array.nbytes <= _TABLE:
        return [np.asarray(array[()])]
    return [np.asarray(array[row]) for row in evenly(len(array), _ROWS)]


def _as_bytes(values: np.ndarray) -> bytes:
    return repr(values.tolist()).encode() if values.dtype.hasobject else values.tobytes()
