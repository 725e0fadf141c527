"""Cells some at a time, so that memory holds their pixels whatever the number of cells, or some for all."""

import numpy as np

_CELLS = 256


def batches(cells: int) -> list[slice]:
    """Part so many cells into batches, in their order.

    Examples
    --------
    >>> batches(300)
    [slice(0, 256, None), slice(256, 300, None)]
    """
    return [slice(first, min(first + _CELLS, cells)) for first in range(0, cells, _CELLS)]


def evenly(cells: int, most: int) -> np.ndarray:
    """Choose at most so many of the cells, evenly over them: their numbers, in order.

    Examples
    --------
    >>> evenly(9, 3), evenly(2, 3)
    (array([0, 4, 8]), array([0, 1]))
    """
    return np.linspace(0, cells - 1, min(cells, most)).astype(int)
