"""How much of a measured property clusters follow."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from cellssl.errors import EmbeddingError
from cellssl.scores.clusters import ami

CLASSES = 5  # that a property is cut into, to stand beside the AMI with a label


def explained_variance(values: ArrayLike, clusters: ArrayLike) -> float:
    """Share of a property's variance that lies between clusters, less what chance gives.

    Parameters
    ----------
    values : (N,)
        The property of each row.
    clusters : (N,)
        Any assignment of the same rows.

    Returns
    -------
    float
        ε² = 1 − (within / (N − k)) / (total / (N − 1)) of k clusters (Kelley 1935): 1 where a
        cluster holds one value only, 0 on average by chance (so it can be slightly negative). NaN
        where the property does not vary, or rows are no more than clusters.

    Raises
    ------
    EmbeddingError
        When values and clusters are not equally many, or a value is not finite.

    Examples
    --------
    >>> explained_variance([1.0, 1.0, 5.0, 5.0], ["a", "a", "b", "b"])
    1.0
    """
    numbers, groups = _paired(values, clusters)
    _, codes = np.unique(groups, return_inverse=True)
    counts = np.bincount(codes)
    spare = len(numbers) - len(counts)
    total = float(((numbers - numbers.mean()) ** 2).sum()) if len(numbers) else 0.0
    if total <= 0 or spare < 1:
        return float("nan")
    means = np.bincount(codes, numbers) / counts
    within = float(((numbers - means[codes]) ** 2).sum())
    return 1 - within / spare / (total / (len(numbers) - 1))


def equal_classes(values: ArrayLike, classes: int = CLASSES) -> NDArray[np.int64]:
    """Cut a property into classes of (nearly) equal size, 0 the lowest; ties stay together.

    Examples
    --------
    >>> equal_classes([10, 30, 20, 40], 2).tolist()
    [0, 1, 0, 1]
    """
    ranks = rankdata(np.asarray(values, dtype=np.float64))
    return np.minimum(((ranks - 0.5) * classes / max(len(ranks), 1)).astype(np.int64), classes - 1)


def property_ami(values: ArrayLike, clusters: ArrayLike) -> float:
    """AMI of clusters and a property cut into five equal classes: beside the AMI with a label.

    Parameters
    ----------
    values, clusters : (N,)
        The property and the cluster of each row.

    Returns
    -------
    float
        0 is chance. Five classes cannot be told whole by ten clusters, so 1 is out of reach. NaN
        where the property does not vary.

    Raises
    ------
    EmbeddingError
        As for `explained_variance`.
    """
    numbers, groups = _paired(values, clusters)
    if len(numbers) == 0 or np.ptp(numbers) == 0:
        return float("nan")
    return ami(equal_classes(numbers), groups)


def _paired(values: ArrayLike, clusters: ArrayLike) -> tuple[NDArray[np.float64], NDArray]:
    numbers, groups = np.asarray(values, dtype=np.float64), np.asarray(clusters)
    if numbers.shape != groups.shape or numbers.ndim != 1:
        raise EmbeddingError(
            f"a property of shape {numbers.shape} for clusters of shape {groups.shape}: wanted one "
            "value and one cluster a row"
        )
    if not np.isfinite(numbers).all():
        raise EmbeddingError(
            f"{int((~np.isfinite(numbers)).sum())} of {len(numbers)} values are not finite: leave "
            "those rows out"
        )
    return numbers, groups
