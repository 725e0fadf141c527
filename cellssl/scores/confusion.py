"""Which class is taken for which: counts, and the accuracies that follow from them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellssl.errors import EmbeddingError

Counts = NDArray[np.int64]


def confusion(
    labels: ArrayLike, predictions: ArrayLike, classes: ArrayLike | None = None
) -> Counts:
    """Count how often each class was predicted as each.

    Parameters
    ----------
    labels, predictions : (N,)
        True and predicted classes.
    classes : (K,), optional
        Classes in the order of rows and columns; those of labels and predictions, sorted, when
        left out.

    Returns
    -------
    (K, K) int64
        Rows are true, columns predicted classes.

    Raises
    ------
    EmbeddingError
        When labels and predictions are not equally many, one is none of `classes`, or two of these are
        the same.

    Examples
    --------
    >>> confusion(["a", "a", "b"], ["a", "b", "b"])
    array([[1, 1],
           [0, 1]])
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if len(labels) != len(predictions):
        raise EmbeddingError(f"{len(labels)} labels, but {len(predictions)} predictions.")
    met = np.unique(np.concatenate([labels, predictions]))
    order = met if classes is None else np.asarray(classes)
    unknown = np.setdiff1d(met, order)
    if len(unknown):
        raise EmbeddingError(f"{unknown.tolist()[0]!r} is none of the classes {order.tolist()}.")
    if len(np.unique(order)) < len(order):
        raise EmbeddingError(f"a class is named twice in {order.tolist()}.")
    place = np.argsort(order)
    true, predicted = (place[np.searchsorted(order[place], x)] for x in (labels, predictions))
    cells = np.bincount(true * len(order) + predicted, minlength=len(order) ** 2)
    return cells.reshape(len(order), len(order)).astype(np.int64)


def pairs_of(table: ArrayLike, classes: ArrayLike) -> dict[str, NDArray]:
    """Give a table as columns, a row for each pair of classes, those that never occur too.

    Parameters
    ----------
    table : (K, K)
        What `confusion` gives.
    classes : (K,)
        Names of rows and columns.

    Returns
    -------
    dict
        ``true``, ``predicted`` and ``count``: (K²,) each.

    Examples
    --------
    >>> [column.tolist() for column in pairs_of([[3, 1], [0, 2]], ["a", "b"]).values()]
    [['a', 'a', 'b', 'b'], ['a', 'b', 'a', 'b'], [3, 1, 0, 2]]
    """
    names = np.asarray(classes)
    return {
        "true": np.repeat(names, len(names)),
        "predicted": np.tile(names, len(names)),
        "count": np.asarray(table).ravel(),
    }


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

    Raises
    ------
    EmbeddingError
        When the table is not square.

    Examples
    --------
    >>> class_accuracies_of([[1, 1], [0, 1]])
    (array([0.5, 1. ]), array([2, 1]))
    """
    counts = np.asarray(table, dtype=np.int64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise EmbeddingError(f"wanted counts of (true, predicted), (K, K), got {counts.shape}.")
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


def balanced_accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Mean over the classes of the share of a class's cells that are predicted right.

    Parameters
    ----------
    labels, predictions : (N,)
        True and predicted classes; chance is 1 / number of classes in `labels`.
    """
    return balanced_accuracy_of(confusion(labels, predictions))
