"""How crops lie in an HDF5 file, so that plain anndata opens it.

AnnData's ``write_h5ad`` makes arrays of fixed length from memory, and ``backed="r"`` loads ``obsm``
whole; a plate's crops fit neither. So the pixels are written by hand in AnnData's on-disk layout
(encodings 0.1.0 and 0.2.0, https://anndata.readthedocs.io/en/latest/fileformat-prose.html):
resizable and chunked.

**One chunk is one cell** with all its channels, since training and embedding read single cells in
random order and a chunk is always read whole. Of 4,000 cells of 3 × 96 × 96 uint16, reading 2,000
at random took 30 µs a cell with one cell a chunk, 85 µs with 4 and 145 µs with 16; runs of
neighbours cost the same whatever the chunk. h5py's own fancy index took 2,300 µs a cell (it joins
selections pairwise), so rows are read run by run, and around HDF5 where they can be (`rows`); `crop`
brings pixels there around it, too (`placing`).

**HDF5, not Zarr nor a bare memory-map.** 20,000 real BBBC021 cells of 3 × 96 × 96 uint16, appended
125 at a time and read back in batches of 256 random rows (``tests/benchmarks/test_stores.py``; two
cores busy with other work, so that only ratios hold; h5py 3.16 with HDF5 2.0, zarr 3.1.6):

===================================  ==============  =======  ===============  ================
store                                cells written   size     a random cell    not in the cache
===================================  ==============  =======  ===============  ================
**HDF5, a chunk a cell, by pread**   11,000 /s       1.11 GB  23 µs            151 µs
the same, through HDF5               6,700 /s        1.11 GB  54 µs            252 µs
bare bytes, memory-mapped            4,400 /s        1.11 GB  32 µs            466 µs
Zarr v3, shards of 1,000 cells       1,800 /s        1.11 GB  854 µs           1,196 µs
Zarr v3, the same with zstd          1,300 /s        0.50 GB  983 µs           1,084 µs
===================================  ==============  =======  ===============  ================

(The better of two runs for each number; writing the first three differs by the disk's mood alone.)
A memory-map is no faster than ``pread``, knows no names, and ends the process when its file is cut
short. Zarr finds and decodes each cell in Python, and a shard is rewritten whenever it grows.

Pixels are not packed: gzip with shuffle makes these 0.39 of the size, at 330 µs a cell instead of
25 through HDF5 (lzf: 0.54, 196 µs), and reading is what training waits for. Masks are packed (gzip 1
makes them far smaller).
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cellssl.crops.packing import LEVEL, PackedMasks
from cellssl.files import require_room

FILE_NAME = "crops.h5ad"
PIXELS = "obsm/crops"
MASKS = "obsm/masks"


def crop_file(out: str | Path) -> Path:
    """Give the crop file that `out` names: itself, or ``crops.h5ad`` of a folder."""
    path = Path(out)
    return path if path.suffix == ".h5ad" else path / FILE_NAME


def holds_crops(path: str | Path) -> bool:
    """Say whether a file, or a folder's ``crops.h5ad``, holds pictures of cells."""
    file = crop_file(path)
    if not file.is_file() or not h5py.is_hdf5(file):
        return False
    with h5py.File(file) as opened:
        return PIXELS in opened


@contextmanager
def create_file(path: Path) -> Iterator[h5py.File]:
    """Make an empty AnnData file with all the groups that anndata expects, open for the block."""
    with open_file(path, "w") as file:
        encode(file, "anndata", "0.1.0")
        for name in ("layers", "obsm", "obsp", "uns", "varm", "varp"):
            encode(file.create_group(name), "dict", "0.1.0")
        yield file


@contextmanager
def open_file(path: Path, mode: str) -> Iterator[h5py.File]:
    """Open a file to write to it in the block; when that fails, nothing is left in it.

    A disk that became full is so no more when HDF5 closes the emptied file: it would end the process
    where it found no room for what it still holds.
    """
    require_room(path)
    with h5py.File(path, mode) as file, ExitStack() as failed:
        failed.callback(os.truncate, path, 0)
        yield file
        file.flush()
        failed.pop_all()  # all is written: nothing is emptied


def require_room_in(file: h5py.File, size: int) -> None:
    """Make sure that so many bytes more have room on the disk of a file that is being written.

    Chunks that HDF5 packs wait in its cache: where the disk is full when they leave it, the whole process ends with a
    segmentation fault, at the latest when Python does. So they are written now, and the next ones fit even unpacked.

    Raises
    ------
    OSError
        When the disk is too full for them.
    """
    file.flush()
    require_room(Path(file.filename), size)


def create_pixels(
    file: h5py.File, shape: tuple[int, ...], dtype: np.dtype, *, placed: bool = False
) -> None:
    """Add the growing array for pixels (n, C, H, W); `placed` gives each cell its bytes in the file at once."""
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if placed:
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    file.create_dataset(
        PIXELS,
        shape=shape,
        maxshape=(None, *shape[1:]),
        chunks=(1, *shape[1:]),
        dtype=dtype,
        dcpl=early,
    )
    encode(file[PIXELS], "array", "0.2.0")


def create_masks(file: h5py.File, masks: np.ndarray | PackedMasks) -> None:
    """Add the empty, growing array for masks, shaped as the first batch."""
    file.create_dataset(
        MASKS,
        shape=(0, *masks.shape[1:]),
        maxshape=(None, *masks.shape[1:]),
        chunks=(1, *masks.shape[1:]),
        dtype=np.uint8,
        compression="gzip",
        compression_opts=LEVEL,
    )
    encode(file[MASKS], "array", "0.2.0")


def encode(target: Any, kind: str, version: str) -> None:
    """Say what a group or dataset is, in AnnData's words."""
    target.attrs["encoding-type"] = kind
    target.attrs["encoding-version"] = version
