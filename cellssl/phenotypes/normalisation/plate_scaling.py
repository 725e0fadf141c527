"""Centre and width of each feature on a plate, by three rules."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.errors import EmbeddingError

# A plate needs so many cells (or wells) before its own middle and width are trusted: a plate of
# BBBC021 has six wells of DMSO.
ENOUGH = 6

# On one plate a feature's width counts as at least this share of its width over all cells: where a
# network's unit is silent but for one cell, that cell would otherwise decide everything.
FLOOR = 0.1

# A median absolute deviation times this is the standard deviation of a normal distribution.
MAD_TO_DEVIATION = 1.4826

Array = NDArray[np.floating]


def _mean_deviation(X: Array) -> tuple[Array, Array]:
    return X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)


def _median_mad(X: Array) -> tuple[Array, Array]:
    middle = np.median(X, axis=0)
    return middle, MAD_TO_DEVIATION * np.median(np.abs(X - middle), axis=0)


def _percentiles(X: Array) -> tuple[Array, Array]:
    """Give the 1st percentile, and how far the 99th lies above it: they become 0 and 1."""
    low, high = np.percentile(X, [1, 99], axis=0)
    return low, high - low


# Rows (n, D) → centre and width of each feature (D,).
PLATE_SCALINGS: dict[str, Callable[[Array], tuple[Array, Array]]] = {
    "standardise": _mean_deviation,
    "robust": _median_mad,
    "percentile": _percentiles,
}


def scale_plates(
    X: NDArray[np.floating],
    rows: NDArray[np.int64],
    plates: NDArray,
    reference: NDArray[np.bool_],
    *,
    scaling: str,
    rule: str,
) -> NDArray[np.float32]:
    """Centre and scale some rows by the reference cells of their plates.

    Parameters
    ----------
    X : (N, D)
        Features of all cells.
    rows : (n,) int64
        The cells that are wanted.
    plates : (N,)
        Plate of each cell.
    reference : (N,) bool
        The cells that a plate's centre and width are taken from.
    scaling : str
        A key of `PLATE_SCALINGS`.
    rule : str
        What the user called it, for messages.

    Returns
    -------
    (n, D) float32

    Raises
    ------
    EmbeddingError
        When a plate has too few reference cells.
    """
    measure = PLATE_SCALINGS[scaling]
    floor = FLOOR * measure(X[reference])[1]
    result = np.empty((len(rows), X.shape[1]), dtype=np.float32)
    codes, names = pd.factorize(plates)
    for code in np.unique(codes[rows]):
        source = X[reference & (codes == code)]
        if len(source) < ENOUGH:
            raise EmbeddingError(
                f"normalisation {rule!r}: plate {names[code] if code >= 0 else 'without name'} has "
                f"{len(source)} cells for it, wanted at least {ENOUGH}. Take 'standardise'."
            )
        centre, width = measure(source)
        width = np.maximum(width, floor)
        here = codes[rows] == code
        result[here] = (X[rows[here]] - centre) / np.where(width > 0, width, 1)
    return result
