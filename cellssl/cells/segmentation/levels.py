"""Brightness that parts objects from their background."""

import numpy as np

_MOST_ROUNDS = 100  # of the search; a few are usual


def li_threshold(image: np.ndarray) -> tuple[float, float]:
    """Give Li's minimum cross-entropy threshold [1]_, and the median of what lies below it.

    On sorted values a step of the search is a look-up, so that it costs no more than the sorting.
    Of a constant image both are its value.

    References
    ----------
    .. [1] Li and Tam, Pattern Recognition Letters 19 (1998) 771-776.

    Examples
    --------
    >>> cut, background = li_threshold(np.array([1, 2, 2, 3, 90, 95], np.float32))
    >>> 3 < cut < 90, background
    (True, 2.0)
    """
    values = np.sort(image, axis=None)
    lowest = float(values[0])
    sums = np.cumsum(values - values[0], dtype=np.float64)
    count, total = len(values), sums[-1]
    cut, below = lowest + total / count, 0
    for _ in range(_MOST_ROUNDS):
        before, below = below, int(np.searchsorted(values, cut, side="right"))
        if below == before:
            break
        dark = sums[below - 1] / below
        if not 0 < dark < sums[-1] / count:
            break
        light = (total - sums[below - 1]) / (count - below)
        cut = lowest + (light - dark) / (np.log(light) - np.log(dark))
    return float(cut), float(values[(below - 1) // 2])


def deviation(values: np.ndarray, centre: float) -> float:
    """Give the standard deviation about a centre from the median distance to it, whatever lies far out."""
    return 1.4826 * float(np.median(np.abs(values - centre)))
