"""Classifying cells by others, of other groups or a training set: neighbours, a linear model."""

import logging
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from cellssl.errors import EmbeddingError
from cellssl.scores.scaling import unit_rows

_LOG = logging.getLogger(__name__)

# A neighbour's vote weighs exp(cosine / TEMPERATURE).
TEMPERATURE = 0.1

GROUPS = 32  # for each neighbour that is looked for: more of them let fewer candidates through

PENALTY = 0.02  # C of the logistic regression: inverse strength of the ridge penalty
FOLDS = 5  # of whole groups; as many as there are groups when they are fewer
ITERATIONS = 1000


def knn_predict(
    X: ArrayLike,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    test: ArrayLike | None = None,
    k: int = 20,
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
        Neighbours. The vote of each weighs exp(10 cosine), divided by the number of cells of its
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
    if test is not None:
        asked = _test_rows(test, groups, len(X))
        return _vote_blockwise(unit[asked], unit[~asked], labels[~asked], k=k, block=block)
    codes = _group_codes(groups, len(X))
    return _vote_blockwise(unit, unit, labels, groups=codes, k=k, block=block)


def _vote_blockwise(
    asking: NDArray[np.floating],
    known: NDArray[np.floating],
    labels: NDArray,
    *,
    groups: NDArray[np.int64] | None = None,
    k: int,
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
        votes = _votes(similarity, codes, len(classes), k=k)
        best[rows] = (votes / sizes).argmax(axis=1)
    return classes[best]


def _votes(
    similarity: NDArray[np.floating], codes: NDArray[np.int64], classes: int, *, k: int
) -> NDArray[np.float64]:
    """Sum the weights of each row's k nearest by class: (n, N) similarities → (n, classes)."""
    k = min(k, similarity.shape[1])
    nearest = _nearest(similarity, k)
    cosine = np.take_along_axis(similarity, nearest, axis=1).astype(np.float64)
    weights = np.exp((cosine - cosine.max(axis=1, keepdims=True)) / TEMPERATURE)
    cells = np.arange(len(similarity))[:, None] * classes + codes[nearest]
    votes = np.bincount(cells.ravel(), weights.ravel(), minlength=len(similarity) * classes)
    return votes.reshape(len(similarity), classes).astype(np.float64)


def _nearest(similarity: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """Find the places of the k largest of each row, of equal ones evenly: (n, N) → (n, k).

    Columns are dealt out to groups: the k largest reach the k-th of the groups' maxima, and hardly any others
    do. Parting all of a row takes ten times as long, and longer where most are equal.
    """
    rows, columns = similarity.shape
    groups = min(columns, GROUPS * k)
    dealt = similarity[:, : columns // groups * groups].reshape(rows, -1, groups)
    least = np.partition(dealt.max(axis=1), -k, axis=1)[:, -k, None]
    places = np.empty((rows, k), dtype=np.int64)
    for row, reach in enumerate(similarity >= least):
        found = np.flatnonzero(reach)
        values = similarity[row, found]
        kth = np.partition(values, -k)[-k]
        above, equal = found[values > kth], found[values == kth]
        some = equal[np.linspace(0, len(equal) - 1, k - len(above)).astype(int)]
        places[row] = np.sort(np.concatenate([above, some]))
    return places


def linear_predict(
    X: ArrayLike,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    test: ArrayLike | None = None,
) -> NDArray:
    """Predict labels by logistic regression trained on *other* groups, or on a training set.

    Classes weigh the same. Of groups, five folds are held out in turn (as many as there are groups when
    they are fewer). A fold that holds all groups of a class is parted, so that every class of two groups or
    more is learnt.

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

    Returns
    -------
    (N,) of the labels' type, or one for each test row

    Raises
    ------
    EmbeddingError
        When there is one group only, or nothing to learn from or to predict.
    """
    X, labels = np.asarray(X, dtype=np.float32), np.asarray(labels)
    if test is not None:
        asked = _test_rows(test, groups, len(X))
        return _fit_predict(X[~asked], labels[~asked], X[asked])
    codes = _group_codes(groups, len(X))
    predictions = np.empty_like(labels)
    for held in _learnable_folds(labels, codes, folds=FOLDS):
        predictions[held] = _fit_predict(X[~held], labels[~held], X[held])
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
    known: NDArray[np.float32], labels: NDArray, asked: NDArray[np.float32]
) -> NDArray:
    """Fit on the known rows and predict the others."""
    if (labels == labels[0]).all():
        return np.full(len(asked), labels[0], dtype=labels.dtype)
    model = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=ITERATIONS)
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
        predictions: NDArray = model.fit(known, labels).predict(asked)
    for warning in caught:
        _LOG.warning("logistic regression: %s", str(warning.message).splitlines()[0])
    return predictions
