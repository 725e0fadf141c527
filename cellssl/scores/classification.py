"""Classifying cells by cells of other groups: nearest neighbours and a linear model."""

import logging
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from cellssl.errors import EmbeddingError
from cellssl.scores.confusion import balanced_accuracy

__all__ = [
    "knn_accuracy",
    "knn_predict",
    "linear_accuracy",
    "linear_predict",
]

log = logging.getLogger(__name__)


def knn_predict(
    X: ArrayLike,
    labels: ArrayLike,
    *,
    groups: ArrayLike,
    k: int = 20,
    temperature: float = 0.1,
    block: int = 1024,
) -> NDArray:
    """Predict each row's label from its nearest neighbours in *other* groups.

    Parameters
    ----------
    X : (N, D)
        Features; similarity is the cosine.
    labels : (N,)
        Classes.
    groups : (N,)
        Plates, say. A row never sees a row of its own group, itself included.
    k : int
        Neighbours.
    temperature : float
        A neighbour's vote weighs exp(cosine / temperature), divided by the number of cells of its
        class: without that the largest class wins by its size. All cells are counted, the row's own
        group too: counting the other groups alone would tell a row which classes its group holds.
    block : int
        Rows compared at a time: memory is block × N.

    Returns
    -------
    (N,) of the labels' type

    Raises
    ------
    EmbeddingError
        When there is one group only.
    """
    X, labels = np.asarray(X, dtype=np.float32), np.asarray(labels)
    group_names, group = np.unique(np.asarray(groups), return_inverse=True)
    if len(group_names) < 2:
        raise EmbeddingError(
            f"neighbours come from other groups, but all {len(X)} cells are in {group_names[0]!r}."
        )
    classes, codes = np.unique(labels, return_inverse=True)
    length = np.linalg.norm(X, axis=1, keepdims=True)
    unit = X / np.where(length > 0, length, 1)
    sizes = np.bincount(codes)
    best = np.empty(len(X), dtype=np.int64)
    for start in range(0, len(X), block):
        rows = slice(start, start + block)
        similarity = unit[rows] @ unit.T
        similarity[group[rows][:, None] == group] = -np.inf
        votes = _votes(similarity, codes, len(classes), k=k, temperature=temperature)
        best[rows] = (votes / sizes).argmax(axis=1)
    return classes[best]


def _votes(
    similarity: NDArray[np.floating],
    codes: NDArray[np.int64],
    classes: int,
    *,
    k: int,
    temperature: float,
) -> NDArray[np.float64]:
    """Sum the weights of each row's k nearest by class: (n, N) similarities → (n, classes)."""
    k = min(k, similarity.shape[1])
    nearest = np.argpartition(similarity, -k, axis=1)[:, -k:]
    cosine = np.take_along_axis(similarity, nearest, axis=1).astype(np.float64)
    weights = np.exp((cosine - cosine.max(axis=1, keepdims=True)) / temperature)
    cells = np.arange(len(similarity))[:, None] * classes + codes[nearest]
    votes = np.bincount(cells.ravel(), weights.ravel(), minlength=len(similarity) * classes)
    return votes.reshape(len(similarity), classes).astype(np.float64)


def knn_accuracy(
    X: ArrayLike,
    labels: ArrayLike,
    *,
    groups: ArrayLike,
    k: int = 20,
    temperature: float = 0.1,
) -> float:
    """Score `knn_predict` by balanced accuracy: is a phenotype found again in other groups."""
    predictions = knn_predict(X, labels, groups=groups, k=k, temperature=temperature)
    return balanced_accuracy(labels, predictions)


def linear_predict(
    X: ArrayLike,
    labels: ArrayLike,
    *,
    groups: ArrayLike,
    C: float = 0.02,
    folds: int = 5,
    iterations: int = 1000,
) -> NDArray:
    """Predict each row's label by logistic regression trained on *other* groups.

    Parameters
    ----------
    X : (N, D)
        Features, standardised: the penalty treats all alike.
    labels, groups : (N,)
        Classes; groups that are never split between training and prediction.
    C : float
        Inverse strength of the ridge penalty; classes weigh the same.
    folds : int
        Folds of whole groups; as many as there are groups when they are fewer.

    Returns
    -------
    (N,) of the labels' type

    Raises
    ------
    EmbeddingError
        When there is one group only.
    """
    X, labels, groups = np.asarray(X, dtype=np.float32), np.asarray(labels), np.asarray(groups)
    count = len(np.unique(groups))
    if count < 2:
        raise EmbeddingError(
            f"training cells come from other groups, but all {len(X)} cells are in one group."
        )
    predictions = np.empty_like(labels)
    for train, test in GroupKFold(min(folds, count)).split(X, labels, groups):
        predictions[test] = _fit_predict(X, labels, train, test, C=C, iterations=iterations)
    return predictions


def _fit_predict(
    X: NDArray[np.float32],
    labels: NDArray,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    *,
    C: float,
    iterations: int,
) -> NDArray:
    """Fit on the training rows and predict the test rows."""
    known = labels[train]
    if (known == known[0]).all():
        return np.full(len(test), known[0], dtype=labels.dtype)
    model = LogisticRegression(C=C, class_weight="balanced", max_iter=iterations)
    # One thread, as for k-means: a busy machine makes more of them slower, not faster.
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(X[train], known)
    for warning in caught:
        log.warning("logistic regression: %s", str(warning.message).splitlines()[0])
    return model.predict(X[test])


def linear_accuracy(
    X: ArrayLike, labels: ArrayLike, *, groups: ArrayLike, C: float = 0.02, folds: int = 5
) -> float:
    """Score `linear_predict` by balanced accuracy: do planes fitted elsewhere tell classes."""
    return balanced_accuracy(labels, linear_predict(X, labels, groups=groups, C=C, folds=folds))
