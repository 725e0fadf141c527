"""Many rows become one: cells a well, wells a treatment."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import trim_mean

from cellssl.errors import EmbeddingError

# Share of the rows that the trimmed mean cuts off at each end, feature by feature.
TRIMMED = 0.1

Statistic = Callable[..., NDArray[np.floating]]

_MIDDLES: dict[str, Statistic] = {
    "median": np.median,
    "mean": np.mean,
    "trimmed-mean": partial(trim_mean, proportiontocut=TRIMMED),
}
STATISTICS = tuple(_MIDDLES)


def choose_statistic(name: str) -> Statistic:
    """Give the function (rows, axis) → middle that a name of `STATISTICS` stands for.

    Raises
    ------
    EmbeddingError
        When there is none of that name.
    """
    if name not in _MIDDLES:
        raise EmbeddingError(
            f"unknown statistic {name!r} to aggregate by: wanted {', '.join(STATISTICS)}."
        )
    return _MIDDLES[name]


def aggregate(X: ArrayLike, groups: ArrayLike, *, statistic: str = "median") -> NDArray[np.float64]:
    """Make one row of each group's rows: a well of cells, a treatment of wells.

    Parameters
    ----------
    X : (N, D)
        Features.
    groups : (N,) int
        Group 0 … G − 1 of each row, none without rows; rows with −1 are left out.
    statistic : str
        `median`, `mean` or `trimmed-mean`: the mean of each feature without the tenth of the rows
        at either end. Of fewer than ten rows nothing is cut, and it is the mean.

    Returns
    -------
    (G, D) float64

    Raises
    ------
    EmbeddingError
        When there is no such statistic, a row has no group, or a group no rows.
    """
    middle = choose_statistic(statistic)
    X, groups = np.asarray(X), np.asarray(groups)
    if groups.shape != X.shape[:1]:
        raise EmbeddingError(f"a group for each of {len(X)} rows is wanted, got {groups.shape}.")
    order = np.argsort(groups, kind="stable")
    order = order[groups[order] >= 0]
    sizes = np.bincount(groups[order])
    if (sizes == 0).any():
        raise EmbeddingError(f"group {int(np.argmin(sizes))} of {len(sizes)} has no rows.")
    parts = np.split(order, np.cumsum(sizes)[:-1]) if len(sizes) else []
    middles = np.empty((len(sizes), X.shape[1]))
    for group, part in enumerate(parts):
        middles[group] = middle(X[part], axis=0)
    return middles
