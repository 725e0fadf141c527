"""Features of one size (mean 0 and deviation 1), and rows of one length."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# A feature whose deviation is below this share of its mean varies by rounding alone.
ROUNDING = 1e-6

# Rows that are in double precision at a time.
BLOCK = 16_384


def row_blocks(count: int) -> list[slice]:
    """Part so many rows into blocks, one at least."""
    return [slice(start, start + BLOCK) for start in range(0, max(count, 1), BLOCK)]


def feature_scale(X: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (D,) of the rows (N, D), and 1 / deviation (D,): 0 for a feature that is constant."""
    blocks, count = row_blocks(len(X)), len(X)
    mean = np.sum([X[block].sum(axis=0, dtype=np.float64) for block in blocks], axis=0) / count
    squares = [((X[block] - mean) ** 2).sum(axis=0) for block in blocks]
    deviation = np.sqrt(np.sum(squares, axis=0) / count)
    varies = varying(mean, deviation)
    return mean, np.where(varies, 1 / np.where(varies, deviation, 1), 0)


def varying(mean: NDArray[np.floating], deviation: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Say which features (D,) vary by more than rounding."""
    return deviation > ROUNDING * np.abs(mean)


def standardise(X: ArrayLike, *, reference: ArrayLike | None = None) -> NDArray[np.float32]:
    """Give each feature mean 0 and standard deviation 1 over all rows, or over others.

    Parameters
    ----------
    X : (N, D)
        Features; those that are constant over the reference become 0.
    reference : (M, D), optional
        The rows that mean and deviation are taken from; X itself when left out.

    Returns
    -------
    (N, D) float32
    """
    X = np.asarray(X, dtype=np.float32)
    mean, scale = feature_scale(X if reference is None else np.asarray(reference, dtype=np.float32))
    Z = X - mean.astype(np.float32)
    Z *= scale.astype(np.float32)
    return Z


def unit_rows(X: NDArray[Any]) -> NDArray[Any]:
    """Give each row (N, D) length 1, so that products are cosines; one of zeros stays. Same type.

    Examples
    --------
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    length = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(length > 0, length, 1)
