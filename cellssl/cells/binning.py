"""Neighbouring pixels → one, as cameras bin them, for plates of a higher magnification than needed."""

import numpy as np


def bin_pixels(plane: np.ndarray, by: int) -> np.ndarray:
    """Average a plane over blocks of `by` × `by` pixels.

    Parameters
    ----------
    plane : ndarray
        (Y, X) of any real type. Rows and columns beyond the last whole block are left out.
    by : int
        Side of a block in pixels; 1 gives the plane itself.

    Returns
    -------
    ndarray
        (Y // by, X // by) in the same type, whole numbers rounded: what is not finite stays so.

    Examples
    --------
    >>> bin_pixels(np.array([[1, 2, 9], [3, 5, 9]], np.uint16), 2)
    array([[3]], dtype=uint16)
    """
    if by == 1:
        return plane
    height, width = (side // by for side in plane.shape)
    # Sums are exact for whole numbers of 16 bits in blocks of up to MOST_BINNED pixels a side.
    sums = np.zeros((height, width), np.float32 if plane.itemsize < 4 else np.float64)
    for y in range(by):  # five times as fast as a sum over two axes
        for x in range(by):
            sums += plane[y : height * by : by, x : width * by : by]
    means = sums / (by * by)
    return (means if plane.dtype.kind == "f" else np.rint(means)).astype(plane.dtype)


def bin_labels(labels: np.ndarray, by: int) -> np.ndarray:
    """Give each block of a label image (Y, X) the number in its middle: (Y // by, X // by)."""
    height, width = (side // by for side in labels.shape)
    return labels[by // 2 :: by, by // 2 :: by][:height, :width]
