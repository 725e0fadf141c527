"""Clusters and map of very many cells from those of a sample: every other cell joins its neighbours."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from cellssl.progress import track

# Cells whose neighbours are sought at a time: what is held beside the result does not grow.
BLOCK = 16_384


def nearest_landmarks(
    components: NDArray[np.float32],
    landmarks: NDArray[np.int64],
    *,
    neighbours: int,
    progress: bool = False,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Find the nearest landmarks of all other cells, block by block; exact.

    Parameters
    ----------
    components : (N, K)
        Principal components of all cells.
    landmarks : (L,) int64
        Rows of the sample.
    neighbours : int
        At most so many.
    progress : bool
        Show a progress bar.

    Yields
    ------
    rows, nearest : (n,), (n, k) int64
        Cells, and the places of their nearest landmarks among the landmarks, nearest first.
    """
    search = NearestNeighbors(n_neighbors=min(neighbours, len(landmarks)), algorithm="brute")
    search.fit(components[landmarks])
    others = np.setdiff1d(np.arange(len(components)), landmarks, assume_unique=True)
    starts = range(0, len(others), BLOCK)
    for start in track(starts, "joining the sample's clusters", shown=progress):
        rows = others[start : start + BLOCK]
        yield rows, search.kneighbors(components[rows], return_distance=False)


def join_clusters(nearest: NDArray[np.int64], clusters: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each cell the cluster that most of its nearest landmarks (n, k) have: (n,).

    Of two that are as frequent it is the larger one, as cluster 0 is the largest.

    Examples
    --------
    >>> join_clusters(np.array([[0, 1, 2]]), np.array([4, 7, 7])).tolist()
    [7]
    """
    count = int(clusters.max()) + 1
    cells = np.arange(len(nearest))[:, None] * count + clusters[nearest]
    votes = np.bincount(cells.ravel(), minlength=len(nearest) * count)
    return votes.reshape(len(nearest), count).argmax(axis=1)


def join_map(
    nearest: NDArray[np.int64],
    joined: NDArray[np.int64],
    clusters: NDArray[np.int64],
    positions: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Put each cell amid those of its nearest landmarks (n, k) that share its cluster (n,): (n, 2).

    Between two islands of the map lies nothing: landmarks of another cluster have no part.
    """
    share = (clusters[nearest] == joined[:, None]).astype(np.float32)
    share /= share.sum(axis=1, keepdims=True)
    return np.einsum("nk,nkd->nd", share, positions[nearest]).astype(np.float32)
