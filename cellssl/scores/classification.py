"""Classifying cells by others, of other groups or a training set: neighbours, a linear model."""

import logging
import warnings
from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from cellssl.errors import EmbeddingError
from cellssl.scores.scaling import unit_rows

__all__ = ["knn_predict", "linear_predict"]

log = logging.getLogger(__name__)


def knn_predict(
    X: ArrayLike,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    test: ArrayLike | None = None,
    k: int = 20,
    temperature: float = 0.1,
    block: int = 512,
) -> NDArray:
    """Predict labels from nearest neighbours in *other* groups, or in a training set.

    Parameters
    ----------
    X : (N, D)
        Features; similarity is the cosine.
    labels : (N,)
        Classes; those of test rows are not looked at.
    groups : (N,), optional
        Plates, say. A row never sees a row of its own group, itself included.
    test : (N,) bool, optional
        In place of groups: predict these rows from all the others, the training set.
    k : int
        Neighbours.
    temperature : float
        A neighbour's vote weighs exp(cosine / temperature), divided by the number of cells of its
        class: without that the largest class wins by its size. Of groups all cells are counted, the
        row's own group too: counting the other groups alone would tell a row which classes its
        group holds.
    block : int
        Rows compared at a time: memory is a few times block × N.

    Returns
    -------
    (N,) of the labels' type, or one for each test row

    Raises
    ------
    EmbeddingError
        When there is one group only, or nothing to learn from or to predict.
    """
    X, labels = np.asarray(X, dtype=np.float32), np.asarray(labels)
    unit = unit_rows(X)
    search = partial(_vote_blockwise, k=k, temperature=temperature, block=block)
    if test is not None:
        asked = _test_rows(test, groups, len(X))
        return search(unit[asked], unit[~asked], labels[~asked])
    return search(unit, unit, labels, groups=_group_codes(groups, len(X)))


def _vote_blockwise(
    asking: NDArray[np.floating],
    known: NDArray[np.floating],
    labels: NDArray,
    *,
    groups: NDArray[np.int64] | None = None,
    k: int,
    temperature: float,
    block: int,
) -> NDArray:
    """Let known unit vectors (N, D) with labels (N,) vote on the asking ones (n, D).

    With groups both are the same rows.
    """
    classes, codes = np.unique(labels, return_inverse=True)
    sizes = np.bincount(codes)
    best = np.empty(len(asking), dtype=np.int64)
    for start in range(0, len(asking), block):
        rows = slice(start, start + block)
        similarity = asking[rows] @ known.T
        if groups is not None:
            similarity[groups[rows][:, None] == groups] = -np.inf
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


def linear_predict(
    X: ArrayLike,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    test: ArrayLike | None = None,
    C: float = 0.02,
    folds: int = 5,
    iterations: int = 1000,
) -> NDArray:
    """Predict labels by logistic regression trained on *other* groups, or on a training set.

    Parameters
    ----------
    X : (N, D)
        Features, standardised: the penalty treats all alike.
    labels : (N,)
        Classes; those of test rows are not looked at.
    groups : (N,), optional
        Groups that are never split between training and prediction.
    test : (N,) bool, optional
        In place of groups: predict these rows from all the others, the training set.
    C : float
        Inverse strength of the ridge penalty; classes weigh the same.
    folds : int
        Folds of whole groups; as many as there are groups when they are fewer. A fold that holds all
        groups of a class is parted, so that every class of two groups or more is learnt.

    Returns
    -------
    (N,) of the labels' type, or one for each test row

    Raises
    ------
    EmbeddingError
        When there is one group only, or nothing to learn from or to predict.
    """
    X, labels = np.asarray(X, dtype=np.float32), np.asarray(labels)
    fit_predict = partial(_fit_predict, X, labels, C=C, iterations=iterations)
    if test is not None:
        asked = _test_rows(test, groups, len(X))
        return fit_predict(np.flatnonzero(~asked), np.flatnonzero(asked))
    codes = _group_codes(groups, len(X))
    predictions = np.empty_like(labels)
    for held in _learnable_folds(labels, codes, folds=folds):
        predictions[held] = fit_predict(np.flatnonzero(~held), np.flatnonzero(held))
    return predictions


def _learnable_folds(
    labels: NDArray, groups: NDArray[np.int64], *, folds: int
) -> Iterator[NDArray[np.bool_]]:
    """Give folds of whole groups as the rows (N,) that are held out; together they hold each row once.

    A fold that has all groups of a class is parted: else a class of two batches, both in one fold,
    were never learnt, and its accuracy 0 whatever the features.
    """
    pairs = pd.DataFrame({"label": labels, "group": groups}).drop_duplicates()
    pairs = pairs[pairs["label"].duplicated(keep=False)]  # a class of one group cannot be learnt
    splitter = GroupKFold(min(folds, groups.max() + 1))
    waiting = [np.unique(groups[held]) for _, held in splitter.split(labels, labels, groups)]
    while waiting:
        held = waiting.pop(0)
        inside = pairs["group"].isin(held)
        lost = pairs[inside & ~pairs["label"].isin(pairs["label"][~inside])]
        first = lost.groupby("label")["group"].min().unique()
        if len(first):  # without the last group of each such class: fewer than there were
            waiting.append(first)
            held = np.setdiff1d(held, first)
        yield np.isin(groups, held)


def _group_codes(groups: ArrayLike | None, count: int) -> NDArray[np.int64]:
    """Turn groups of so many rows into numbers; there must be two at least."""
    if groups is None:
        raise EmbeddingError("what is kept apart from what? Give groups, or which rows are test.")
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        raise EmbeddingError(
            f"cells learn from other groups, but all {count} are in {names.tolist()[0]!r}."
        )
    return codes


def _test_rows(test: ArrayLike, groups: ArrayLike | None, count: int) -> NDArray[np.bool_]:
    """Make sure that some rows are test, some are not, and that nothing else parts them."""
    if groups is not None:
        raise EmbeddingError("groups and test rows are two ways to part cells: give one of them.")
    rows = np.asarray(test)
    if rows.dtype != bool or rows.shape != (count,):
        raise EmbeddingError(
            f"test says true or false for each of {count} rows, got {rows.dtype} {rows.shape}."
        )
    if rows.all() or not rows.any():
        raise EmbeddingError(f"{int(rows.sum())} of {count} rows are test: wanted some, not all.")
    return rows


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
    # One thread, as for k-means: a busy machine makes more of them slower, not faster. OpenBLAS's product
    # of a float32 matrix and a vector raises "invalid value" on some processors by what lay in memory
    # before; the product is right, and scikit-learn refuses features that are not finite.
    with (
        threadpool_limits(1),
        np.errstate(invalid="ignore"),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always", ConvergenceWarning)
        # Labels are classes, few cells though each may have.
        warnings.filterwarnings("ignore", ".*could represent a regression problem")
        model.fit(X[train], known)
        predictions: NDArray = model.predict(X[test])
    for warning in caught:
        log.warning("logistic regression: %s", str(warning.message).splitlines()[0])
    return predictions
