"""Which class is taken for which: counts, and the accuracies that follow from them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["accuracy_of", "balanced_accuracy_of", "class_accuracies_of", "confusion"]

Counts = NDArray[np.int64]


def confusion(
    labels: ArrayLike, predictions: ArrayLike, classes: Sequence[str] | None = None
) -> Counts:
    """Count how often each class was predicted as each.

    Parameters
    ----------
    labels, predictions : (N,)
        True and predicted classes.
    classes : sequence, optional
        K classes in the order of rows and columns; those of labels and predictions, sorted, when
        left out. Whatever else is met is an error.

    Returns
    -------
    (K, K) int64
        Rows are true, columns predicted classes.

    Examples
    --------
    >>> confusion(["a", "a", "b"], ["a", "b", "b"])
    array([[1, 1],
           [0, 1]])
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    met = np.unique(np.concatenate([labels, predictions]))
    order = met if classes is None else np.asarray(classes)
    unknown = np.setdiff1d(met, order)
    if len(unknown):
        raise ValueError(f"class {unknown[0]!r} is not among {order.tolist()}")
    place = np.argsort(order)
    true, predicted = (place[np.searchsorted(order[place], x)] for x in (labels, predictions))
    cells = np.bincount(true * len(order) + predicted, minlength=len(order) ** 2)
    return cells.reshape(len(order), len(order)).astype(np.int64)


def class_accuracies_of(table: ArrayLike) -> tuple[NDArray[np.float64], Counts]:
    """Give each class's share of right predictions, and how many members it has.

    Parameters
    ----------
    table : (K, K)
        What `confusion` gives.

    Returns
    -------
    accuracies : (K,) float64
        NaN where a class has no member.
    counts : (K,) int64

    Examples
    --------
    >>> class_accuracies_of([[1, 1], [0, 1]])
    (array([0.5, 1. ]), array([2, 1]))
    """
    counts = np.asarray(table, dtype=np.int64)
    members = counts.sum(axis=1)
    right = counts.diagonal().astype(np.float64)
    return np.divide(right, members, out=np.full(len(members), np.nan), where=members > 0), members


def balanced_accuracy_of(table: ArrayLike) -> float:
    """Mean accuracy of the classes that have members; chance is 1 / their number."""
    accuracies, members = class_accuracies_of(table)
    return float(accuracies[members > 0].mean()) if members.any() else float("nan")


def accuracy_of(table: ArrayLike) -> float:
    """Share of right predictions (top-1): large classes count more."""
    counts = np.asarray(table, dtype=np.int64)
    return float(counts.trace() / counts.sum()) if counts.any() else float("nan")
