"""Cells some at a time, so that memory holds their pixels whatever the number of cells."""

__all__ = ["batches"]

_CELLS = 256


def batches(cells: int) -> list[slice]:
    """Part so many cells into batches, in their order.

    Examples
    --------
    >>> batches(300)
    [slice(0, 256, None), slice(256, 300, None)]
    """
    return [slice(first, min(first + _CELLS, cells)) for first in range(0, cells, _CELLS)]
