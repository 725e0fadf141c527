"""Clusters of an embedding, and how far they agree with labels."""

import warnings

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_mutual_info_score, silhouette_samples
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information
from threadpoolctl import threadpool_limits

from cellssl.errors import EmbeddingError

# Of more rows than this k-means is fitted to a sample: its centres hardly move any more.
MOST_ROWS = 50_000

STARTS = 10  # of k-means; the best is kept
# Rows × clusters that all starts together may have: 50,000 cells of 40 classes have ten starts, of 300
# classes one, since ten would take minutes. Of 300 clusters that lowers the AMI by about 0.01.
MOST_COMPARED = 20_000_000


def cluster_kmeans(X: ArrayLike, k: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Cluster rows by k-means, the best of ten starts (of fewer: see `kmeans_starts`); cluster 0 is the largest.

    Parameters
    ----------
    X : (N, D)
        Usually 50 principal components of standardised features.
    k : int
        Number of clusters.

    Returns
    -------
    (N,) int64
        Clusters 0 … k − 1 in order of falling size. Of more than 50,000 rows the centres are fitted
        to a sample of so many, drawn by `seed`; every row then goes to its nearest centre.

    Raises
    ------
    EmbeddingError
        When there are fewer rows than clusters.
    """
    X = np.asarray(X, dtype=np.float32)
    if not 1 <= k <= len(X):
        raise EmbeddingError(f"cannot make {k} clusters of {len(X)} cells: ask for 1 to {len(X)}.")
    # One thread: k-means is short, and threads that wait for each other on a busy machine make it
    # twenty times slower; the result does not depend on the number of cores either.
    with threadpool_limits(1), warnings.catch_warnings():
        # Of fewer distinct points than clusters some clusters stay empty: as good as it can be.
        warnings.filterwarnings("ignore", "Number of distinct clusters", ConvergenceWarning)
        model = KMeans(k, n_init=kmeans_starts(len(X), k), random_state=seed)
        if len(X) > max(MOST_ROWS, k):
            rows = np.random.default_rng(seed).choice(len(X), MOST_ROWS, replace=False)
            clusters = model.fit(X[np.sort(rows)]).predict(X)
        else:
            clusters = model.fit_predict(X)
    return number_by_size(clusters)


def kmeans_starts(rows: int, k: int) -> int:
    """Tell of how many starts `cluster_kmeans` takes the best: ten, of very many rows and clusters fewer.

    Examples
    --------
    >>> kmeans_starts(50_000, 40), kmeans_starts(50_000, 100), kmeans_starts(50_000, 300)
    (10, 4, 1)
    """
    return max(1, min(STARTS, MOST_COMPARED // (min(rows, MOST_ROWS) * k)))


def number_by_size(clusters: ArrayLike) -> NDArray[np.int64]:
    """Give clusters (N,) their numbers by falling size: 0 is the largest.

    Examples
    --------
    >>> number_by_size([2, 0, 0, 2, 2]).tolist()
    [0, 1, 1, 0, 0]
    """
    numbers = np.asarray(clusters)
    order = np.argsort(-np.bincount(numbers), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[numbers]


def ami(labels: ArrayLike, clusters: ArrayLike) -> float:
    """Compute the adjusted mutual information of labels and clusters: 0 is chance, 1 identity.

    Parameters
    ----------
    labels, clusters : (N,)
        Any two assignments of the same rows; the order of the arguments does not matter.

    Raises
    ------
    EmbeddingError
        When a label or a cluster is missing.

    Notes
    -----
    Vinh, Epps and Bailey, JMLR 2010, normalised by the arithmetic mean of the two entropies.
    """
    return float(adjusted_mutual_info_score(label_codes(labels), label_codes(clusters)))


def silhouette(X: ArrayLike, labels: ArrayLike) -> NDArray[np.float32]:
    """Silhouette of every row: 1 well inside its label, 0 between two, −1 inside another.

    Parameters
    ----------
    X : (N, D)
        Usually 50 principal components; distances are Euclidean, computed block by block.
    labels : (N,)
        Two labels at least.

    Returns
    -------
    (N,) float32
        Its mean is the silhouette score (Rousseeuw 1987).

    Raises
    ------
    EmbeddingError
        When there are fewer than two labels, or as many as rows; when one is missing.
    """
    codes = label_codes(labels)
    classes = codes.max(initial=-1) + 1
    if not 2 <= classes < len(codes):
        raise EmbeddingError(
            f"a silhouette of {len(codes)} cells needs 2 to {len(codes) - 1} labels, got {classes}."
        )
    return silhouette_samples(np.asarray(X, dtype=np.float32), codes).astype(np.float32)


def adjusted_information(
    labels: NDArray[np.float64],
    clusters: NDArray[np.float64],
    both: NDArray[np.float64],
    *,
    chance: float,
) -> NDArray[np.float64]:
    """Compute the adjusted mutual information (B,) from entropies.

    Parameters
    ----------
    labels, clusters, both : (B,)
        Entropies of the labels, of the clusters, and of the pairs of them, in nats.
    chance : float
        Mutual information expected by chance. It depends on the sizes of labels and clusters alone and is
        slow to compute: where these hardly differ one serves all.
    """
    information = labels + clusters - both
    room = (labels + clusters) / 2 - chance
    return np.where(np.abs(room) > 1e-12, (information - chance) / np.where(room == 0, 1, room), 1)


def expected_information(labels: NDArray[np.int64], clusters: NDArray[np.int64]) -> float:
    """Mutual information, in nats, that labels and clusters (N,) of such sizes have by chance (Vinh 2010)."""
    counts = contingency_matrix(labels, clusters, sparse=True)
    if min(counts.shape) < 2:
        return 0.0
    return float(expected_mutual_information(counts, len(labels)))


def label_codes(labels: ArrayLike) -> NDArray[np.int64]:
    """Give each label (N,) its number 0, 1, … among the different ones, sorted.

    Raises
    ------
    EmbeddingError
        When one is missing.
    """
    codes, _ = pd.factorize(np.asarray(labels), sort=True)
    if (codes < 0).any():
        raise EmbeddingError(
            f"{int((codes < 0).sum())} of {len(codes)} labels are missing: leave those cells out."
        )
    return codes.astype(np.int64)
