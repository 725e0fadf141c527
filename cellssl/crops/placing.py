"""Pixels that lie in other files, brought into a crop file by the system: none pass through HDF5."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # workers that cut fields wait neither for HDF5 nor for bars
    import h5py


_BLOCK = 2**18  # bytes copied at a time: what stays in a core's cache is written twice as fast


@dataclass(frozen=True)
class Piece:
    """Some of the m cells that lie one after the other in a file.

    Attributes
    ----------
    path : Path
        The file.
    start : int
        The byte at which the first of the m begins.
    chosen : ndarray
        (m,) bool: those that are meant.
    """

    path: Path
    start: int
    chosen: np.ndarray


@dataclass(frozen=True)
class StoredPixels:
    """Pixels of n cells that lie in files just as a crop file holds them.

    Attributes
    ----------
    pieces : tuple of Piece
        Where; the chosen cells of all are n.
    sides : tuple of int
        (C, H, W) of each cell.
    dtype : dtype
        Of the pixels.
    """

    pieces: tuple[Piece, ...]
    sides: tuple[int, ...]
    dtype: np.dtype

    def __len__(self) -> int:
        return sum(int(piece.chosen.sum()) for piece in self.pieces)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, C, H, W)."""
        return (len(self), *self.sides)


def chunk_places(dataset: "h5py.Dataset") -> np.ndarray:
    """Give the byte at which each row's chunk begins (N,) int64; -1 for one that has no place."""
    places = np.full(len(dataset), -1, np.int64)

    def note(chunk: "h5py.h5d.StoreInfo") -> None:
        places[chunk.chunk_offset[0]] = chunk.byte_offset

    if not len(dataset):
        return places
    if hasattr(dataset.id, "chunk_iter"):  # HDF5 ≥ 1.14
        dataset.id.chunk_iter(note)
    else:
        corner = (0,) * (dataset.ndim - 1)
        for row in range(len(dataset)):
            note(dataset.id.get_chunk_info_by_coord((row, *corner)))
    return places


def copy_pixels(
    stored: Sequence[StoredPixels],
    path: Path,
    places: np.ndarray,
    *,
    threads: int,
    shown: bool = False,
) -> None:
    """Copy the pixels of N cells to their places (N,) in a file that HDF5 has closed.

    Threads share the pieces among them: the system copies, and none waits for another's Python.
    """
    from cellssl.progress import track

    pieces = [piece for pixels in stored for piece in pixels.pieces]
    if not pieces:
        return
    each = int(np.prod(stored[0].sides)) * stored[0].dtype.itemsize
    ends = np.cumsum([piece.chosen.sum() for piece in pieces])
    targets = np.split(places, ends[:-1])
    with ThreadPoolExecutor(threads, "copy") as pool:
        copied = pool.map(_copy, pieces, repeat(path), targets, repeat(each))
        # When one fails, or on Ctrl-C, `map` gives up those that wait.
        for _ in track(copied, "copying pixels", total=len(pieces), shown=shown):
            pass


def _copy(piece: Piece, path: Path, places: np.ndarray, each: int) -> None:
    """Copy the chosen cells of a piece, of so many bytes each, to their places in a file."""
    room = memoryview(bytearray(_BLOCK))
    starts = piece.start + each * np.flatnonzero(piece.chosen)
    with piece.path.open("rb") as old, path.open("r+b") as new:
        for first, last in runs(each, starts, places):
            old.seek(int(starts[first]))
            new.seek(int(places[first]))
            count = (last - first) * each
            for done in range(0, count, _BLOCK):
                block = room[: count - done]
                if old.readinto(block) < len(block):
                    raise OSError(f"{piece.path} ends within a cell")
                new.write(block)


def runs(step: int, *places: np.ndarray) -> Iterator[tuple[int, int]]:
    """Give the (start, stop) of stretches in which each place, in all arrays, lies `step` behind the one before."""
    if len(places[0]):
        breaks = np.any([np.diff(one) != step for one in places], axis=0)
        yield from pairwise([0, *(np.flatnonzero(breaks) + 1).tolist(), len(places[0])])
