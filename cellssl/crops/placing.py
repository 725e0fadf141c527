"""Pixels that lie in other files, brought into a crop file by the system: none pass through HDF5."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # workers that cut fields wait neither for HDF5 nor for bars
    import h5py

__all__ = ["Piece", "StoredPixels", "chunk_places", "copy_pixels"]

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
        for start, place, count in _stretches(starts, places, each):
            old.seek(start)
            new.seek(place)
            for done in range(0, count, _BLOCK):
                block = room[: count - done]
                if old.readinto(block) < len(block):
                    raise OSError(f"{piece.path} ends within a cell")
                new.write(block)


def _stretches(starts: np.ndarray, places: np.ndarray, each: int) -> Iterator[tuple[int, int, int]]:
    """Give (start, place, bytes) of cells that lie side by side here and there."""
    if not len(starts):
        return
    breaks = np.flatnonzero((np.diff(starts) != each) | (np.diff(places) != each)) + 1
    for first, last in zip([0, *breaks.tolist()], [*breaks.tolist(), len(starts)], strict=True):
        yield int(starts[first]), int(places[first]), (last - first) * each
