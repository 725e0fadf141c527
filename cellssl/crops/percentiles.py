"""Percentiles of the pixels, per plate and over all: what intensity scaling is made of."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import cv2
import numpy as np

QUANTILES = (0.1, 1.0, 5.0, 50.0, 95.0, 99.0, 99.9)
_PLATE_SAMPLE = 1000  # cells: one very bright cell then moves at most a thousandth of the pixels
_WHOLE_SAMPLE = 4000  # cells of all plates together
_BLOCK = 128  # cells held in memory at a time
_COUNTED = 2**24  # pixels that OpenCV, which counts in float32, counts without an error


@dataclass(frozen=True)
class PercentileTable:
    """Percentiles of a sample of cells.

    Attributes
    ----------
    quantiles : tuple of float
        Q numbers between 0 and 100.
    plates : tuple of str
        P plates.
    values : ndarray
        (P, C, Q) float32, from up to 1,000 cells of each plate.
    whole : ndarray
        (C, Q) float32, from up to 4,000 cells of all plates together.
    cells : ndarray
        (P,) number of cells on each plate (not of the sample).
    """

    quantiles: tuple[float, ...]
    plates: tuple[str, ...]
    values: np.ndarray
    whole: np.ndarray
    cells: np.ndarray

    def of_plate(self, plate: str, quantile: float) -> np.ndarray:
        """Give one percentile of one plate: (C,) float32."""
        return self.values[self.plates.index(plate), :, self.quantiles.index(quantile)]

    def of_all(self, quantile: float) -> np.ndarray:
        """Give one percentile over all plates: (C,) float32."""
        return self.whole[:, self.quantiles.index(quantile)]

    @classmethod
    def from_uns(cls, stored: Mapping[str, Any]) -> "PercentileTable":
        """Read them as they are stored in ``uns``, one by one."""
        return cls(
            quantiles=tuple(float(quantile) for quantile in stored["quantiles"]),
            plates=tuple(str(plate) for plate in stored["plates"]),
            values=np.asarray(stored["values"]),
            whole=np.asarray(stored["whole"]),
            cells=np.asarray(stored["cells"]),
        )


def measure(
    read: Callable[[np.ndarray], np.ndarray],
    plates: np.ndarray,
    *,
    channels: int,
    quantiles: Sequence[float] = QUANTILES,
) -> PercentileTable:
    """Measure percentiles on seeded samples of cells: the same cells give the same numbers.

    Parameters
    ----------
    read : callable
        Sorted row numbers (n,) → pixels (n, C, H, W).
    plates : ndarray
        (N,) the plate of each cell.
    channels : int
        C, for when there is no cell to tell.
    """
    names, cells = np.unique(plates.astype(str), return_counts=True)
    empty = np.full((channels, len(quantiles)), np.nan, np.float32)

    def percentiles_of(rows: np.ndarray) -> np.ndarray:
        blocks = (read(rows[at : at + _BLOCK]) for at in range(0, len(rows), _BLOCK))
        return pixel_percentiles(blocks, quantiles) if len(rows) else empty

    values = [
        percentiles_of(_sample(np.flatnonzero(plates == plate), _PLATE_SAMPLE, str(plate)))
        for plate in names
    ]
    whole = percentiles_of(_sample(np.arange(len(plates)), _WHOLE_SAMPLE, "whole"))
    return PercentileTable(
        quantiles=tuple(quantiles),
        plates=tuple(str(name) for name in names),
        values=np.stack(values) if values else np.empty((0, *empty.shape), np.float32),
        whole=whole,
        cells=cells.astype(np.int64),
    )


def pixel_percentiles(blocks: Iterator[np.ndarray], quantiles: Sequence[float]) -> np.ndarray:
    """Give percentiles per channel of blocks (n, C, H, W) of pixels: (C, Q) float32.

    Small unsigned integers are counted in a histogram, so that the memory does not grow with the
    number of cells.
    """
    first = next(blocks)
    if first.dtype.kind == "u" and first.dtype.itemsize <= 2:
        return _counted(first, blocks, quantiles)
    pixels = np.concatenate([first, *blocks]).swapaxes(0, 1)
    flat = pixels.reshape(len(pixels), -1)
    return np.percentile(flat, quantiles, axis=1, method="inverted_cdf").T.astype(np.float32)


def _counted(
    first: np.ndarray, blocks: Iterator[np.ndarray], quantiles: Sequence[float]
) -> np.ndarray:
    """Exact percentiles (the inverse of the cumulative distribution) from counts of grey values."""
    levels = np.iinfo(first.dtype).max + 1
    counts = np.zeros((first.shape[1], levels), np.int64)
    for block in chain([first], blocks):
        for channel, pixels in enumerate(block.swapaxes(0, 1)):
            flat = pixels.reshape(1, -1)
            for start in range(0, flat.size, _COUNTED):
                some = np.ascontiguousarray(flat[:, start : start + _COUNTED])
                found = cv2.calcHist([some], [0], None, [levels], [0, levels])
                counts[channel] += found.ravel().astype(np.int64)
    cumulative = counts.cumsum(axis=1)
    ranks = np.maximum(np.ceil(np.asarray(quantiles) / 100 * cumulative[0, -1] - 1e-9), 1)
    return np.stack([np.searchsorted(row, ranks) for row in cumulative]).astype(np.float32)


def _sample(rows: np.ndarray, limit: int, name: str) -> np.ndarray:
    """Choose up to `limit` rows, sorted; seeded by name: other plates do not change the choice."""
    if len(rows) <= limit:
        return rows
    random = np.random.default_rng(zlib.crc32(name.encode()))
    return np.sort(random.choice(rows, limit, replace=False))
