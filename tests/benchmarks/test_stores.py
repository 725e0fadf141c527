"""Stores for crops side by side: HDF5, Zarr v3 in shards, and bare memory-mapped bytes.

Run on a quiet machine: ``pytest tests/benchmarks/test_stores.py -m bench -s``. Each store gets the
same cells in the same batches, as `cellssl crop` gives them field by field, and then gives them back
in batches of rows drawn at random, as training asks for them. It takes a few minutes and 5 GB of
disk. The numbers in ``cellssl/crops/layout.py`` are from here.
"""

import os
import shutil
import time
from abc import ABC, abstractmethod
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

from cellssl.crops.layout import PIXELS, create_file, create_pixels
from cellssl.crops.rows import RowReader, read_rows

CELLS, SHAPE = 20_000, (3, 96, 96)
FIELD, BATCH = 125, 256  # cells that are written, and read, at a time
ROUNDS, BATCHES = 5, 8
SLOW_BATCHES = 1  # of stores that take milliseconds a cell


class Store(ABC):
    """A place for crops: written batch by batch, read row by row."""

    name: str
    batches = BATCHES

    def __init__(self, folder: Path) -> None:
        self.path = folder / self.name.replace(" ", "-").replace(",", "")

    @abstractmethod
    def write(self, fields: list[np.ndarray]) -> None:
        """Append batches of unknown number, the last flushed."""

    @abstractmethod
    def open(self) -> None:
        """Be ready to read."""

    @abstractmethod
    def read(self, rows: np.ndarray) -> np.ndarray:
        """Give (n, C, H, W) in the order of `rows`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the files."""

    def files(self) -> list[Path]:
        return [p for p in [self.path, *self.path.rglob("*")] if p.is_file()]


class HDF5(Store):
    name = "HDF5, a chunk a cell"

    def write(self, fields):
        with create_file(str(self.path)) as file:
            create_pixels(file, (0, *fields[0].shape[1:]), fields[0].dtype)
            for field in fields:
                start = len(file[PIXELS])
                file[PIXELS].resize(start + len(field), axis=0)
                file[PIXELS][start:] = field

    def open(self):
        self.file = h5py.File(self.path, "r")
        self.reader = RowReader(self.file[PIXELS])
        self.reader._find_chunks()

    def read(self, rows):
        return self.reader.read(rows)

    def close(self):
        self.file.close()


class PlainHDF5(HDF5):
    name = "the same, through HDF5"

    def open(self):
        self.file = h5py.File(self.path, "r")

    def read(self, rows):
        return read_rows(self.file[PIXELS], rows)


class Zarr(Store):
    batches = SLOW_BATCHES
    shard, packed = 1000, False

    @property
    def name(self):  # type: ignore[override]
        return f"Zarr v3, shards of {self.shard}, {'zstd' if self.packed else 'not packed'}"

    def write(self, fields):
        array = zarr.create_array(
            self.path,
            shape=(0, *SHAPE),
            chunks=(1, *SHAPE),
            shards=(self.shard, *SHAPE),
            dtype=fields[0].dtype,
            compressors="auto" if self.packed else None,
        )
        # Whole shards: a smaller append reads, and writes again, the shard that it falls into.
        whole = np.concatenate(fields)
        for start in range(0, len(whole), self.shard):
            array.append(whole[start : start + self.shard])

    def open(self):
        self.array = zarr.open_array(self.path, mode="r")

    def read(self, rows):
        order = np.argsort(rows)
        result = np.empty((len(rows), *SHAPE), self.array.dtype)
        result[order] = self.array.oindex[rows[order]]
        return result

    def close(self):
        del self.array


class PackedZarr(Zarr):
    packed = True


class MemoryMap(Store):
    name = "bare bytes, memory-mapped"

    def write(self, fields):
        with self.path.open("wb") as file:
            for field in fields:
                file.write(field.data)

    def open(self):
        self.array = np.memmap(self.path, np.uint16, "r").reshape(-1, *SHAPE)

    def read(self, rows):
        return np.stack([self.array[row] for row in rows])

    def close(self):
        del self.array  # a mapped page cannot be dropped from the cache


def sync(files: list[Path]) -> None:
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def forget(files: list[Path]) -> None:
    """Ask the system to drop the files from its cache (the disk may still have its own)."""
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def real_cells(data: Path | None) -> np.ndarray:
    """Give (n, 3, 96, 96) uint16: real MCF-7 cells mirrored at their edges, else blobs with noise."""
    random = np.random.default_rng(0)
    if data is None:
        y, x = np.mgrid[:96, :96] - 48.0
        radius = random.uniform(8, 20, (1000, 3, 1, 1))
        blobs = np.exp(-(y**2 + x**2) / (2 * radius**2)) * random.uniform(
            500, 4000, (1000, 3, 1, 1)
        )
        return random.poisson(blobs + 200).astype(np.uint16)
    with h5py.File(data / "bbbc021" / "crops" / "crops.h5") as file:
        cells = file["crops"][:4000]
    return np.pad(cells, ((0, 0), (0, 0), (14, 14), (14, 14)), mode="reflect")


def fields_of_cells(cells: np.ndarray) -> list[np.ndarray]:
    """Tile the cells to as many as wanted, each shifted and brightened by a little: none alike."""
    random = np.random.default_rng(1)
    fields = []
    for start in range(0, CELLS, FIELD):
        some = cells[np.arange(start, start + FIELD) % len(cells)]
        jitter = random.integers(0, 8, (FIELD, SHAPE[0], 1, 1)).astype(np.uint16)
        fields.append(np.roll(some, random.integers(-4, 5, 2), axis=(2, 3)) + jitter)
    return fields


def microseconds(store: Store, draws: list[np.ndarray], *, cold: bool) -> float:
    """Read the batches; give the time a cell."""
    if cold:
        forget(store.files())
    store.open()
    began = time.perf_counter()
    for rows in draws:
        store.read(rows)
    taken = time.perf_counter() - began
    store.close()
    return 1e6 * taken / sum(map(len, draws))


@pytest.mark.bench
def test_stores(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    try:
        data = request.getfixturevalue("data")
    except pytest.skip.Exception:
        data = None
    fields = fields_of_cells(real_cells(data))
    whole = np.concatenate(fields)
    stores = [kind(tmp_path) for kind in (HDF5, PlainHDF5, MemoryMap, Zarr, PackedZarr)]
    random = np.random.default_rng(2)
    size, write, warm, cold = {}, {}, {}, {}
    for store in stores:
        began = time.perf_counter()
        store.write(fields)
        sync(store.files())
        write[store] = CELLS / (time.perf_counter() - began)
        size[store] = sum(path.stat().st_size for path in store.files())
        rows = random.integers(0, CELLS, BATCH)
        store.open()
        np.testing.assert_array_equal(store.read(rows), whole[rows])
        store.close()
        warm[store], cold[store] = [], []
    for _ in range(ROUNDS):  # taking turns, so that a slow moment hits all
        for store in stores:
            draws = [random.integers(0, CELLS, BATCH) for _ in range(store.batches)]
            cold[store].append(microseconds(store, draws, cold=True))
            warm[store].append(microseconds(store, draws, cold=False))
    print(f"\n{CELLS:,} cells {SHAPE}, {'real' if data else 'simulated'}; best of {ROUNDS} rounds")
    for store in stores:
        print(
            f"{store.name:38} {write[store]:7,.0f} cells/s written {size[store] / 1e6:6,.0f} MB  "
            f"a random cell: {min(warm[store]):6,.0f} µs, not in the cache {min(cold[store]):6,.0f} µs"
        )
        shutil.rmtree(store.path) if store.path.is_dir() else store.path.unlink()
    ours, plain, bare, *sharded = stores
    assert min(warm[plain]) >= 1.5 * min(warm[ours])
    assert min(warm[ours]) <= 2.5 * min(warm[bare])
    assert all(min(warm[other]) >= 10 * min(warm[ours]) for other in sharded)
    assert write[ours] >= max(write[other] for other in sharded)
    assert size[ours] <= 1.01 * size[bare]
