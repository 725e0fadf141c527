"""The graph of nearest neighbours, and what is read from it: Leiden's clusters, UMAP's map."""

import anndata as ad
import numpy as np
import scanpy as sc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.neighbors import NearestNeighbors

# Up to so many cells every two are compared: exact, and ten seconds for 20,000 cells on two cores;
# the approximate search first compiles itself for a minute and pays only beyond.
EXACT_CELLS = 50_000
_HALVINGS = 64  # of the interval that a bandwidth is searched in
_CLOSE = 1e-5  # a sum of weights so near to what is wanted is right
_LEAST = 1e-3  # of the mean distance: no bandwidth is smaller


def add_graph(cells: ad.AnnData, *, neighbours: int = 15, seed: int = 0) -> None:
    """Add the graph of nearest neighbours in `obsm["X_pca"]`, in place, where Scanpy looks for it.

    Not by ``scanpy.pp.neighbors``: up to version 1.11.5 at least it hands UMAP's weights a cell's
    neighbours in the order of their numbers, where the nearest are to come first (with SciPy 1.17; an
    edge's weight is off by up to 0.7), and loads UMAP, which compiles itself for 13 to 18 s in every
    process.
    """
    count = min(neighbours, cells.n_obs - 1)
    indices, distances = _nearest(cells.obsm["X_pca"], count, seed)
    cells.obsp["distances"] = _matrix(indices, distances)
    cells.obsp["connectivities"] = fuzzy_union(indices, distances)
    cells.uns["neighbors"] = {
        "connectivities_key": "connectivities",
        "distances_key": "distances",
        "params": {
            "n_neighbors": count,
            "method": "umap",
            "metric": "euclidean",
            "random_state": seed,
            "use_rep": "X_pca",
        },
    }


def _nearest(
    X: NDArray[np.float32], count: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find each cell's nearest cells, itself among them: their numbers and distances, each (N, count)."""
    if len(X) <= EXACT_CELLS:
        search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(X)
        distances, indices = search.kneighbors(X)
        return indices, distances
    from pynndescent import NNDescent  # which compiles itself as it is loaded

    indices, distances = NNDescent(X, n_neighbors=count, random_state=seed).neighbor_graph
    return indices, distances


def fuzzy_union(indices: NDArray[np.int64], distances: NDArray[np.floating]) -> csr_matrix:
    """Weigh the edges of a graph of nearest neighbours as UMAP does.

    McInnes et al., *UMAP* (2018, arXiv 1802.03426), section 3.1: an edge weighs 1 to the nearest other
    cell, and exp(−(d − ρ) / σ) to one at distance d, where ρ is the distance of the nearest; σ of each
    cell is such that its weights sum to log₂ k. Two cells' weights a and b of each other become
    a + b − ab.

    Parameters
    ----------
    indices : (N, K) int
        Each cell's nearest cells, itself among them, the nearest first.
    distances : (N, K) float
        How far they lie.

    Returns
    -------
    csr_matrix
        (N, N) float32, symmetric, with nothing stored on the diagonal.
    """
    distances = distances.astype(np.float32)
    nearest = np.where(distances > 0, distances, np.inf).min(axis=1, keepdims=True)
    nearest[np.isinf(nearest)] = 0  # copies of one cell
    beyond = np.maximum(distances - nearest, 0)
    weights = np.exp(-beyond / _bandwidths(beyond, distances, nearest))
    weights[indices == np.arange(len(indices))[:, None]] = 0
    directed = _matrix(indices, weights.astype(np.float32))
    directed.eliminate_zeros()
    union = directed + directed.T - directed.multiply(directed.T)
    return csr_matrix(union)


def _bandwidths(
    beyond: NDArray[np.floating], distances: NDArray[np.floating], nearest: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Search each cell's σ (N, 1) by halving: the weights of its neighbours are to sum to log₂ k."""
    wanted = np.log2(distances.shape[1])
    low, high = np.zeros(nearest.shape), np.full(nearest.shape, np.inf)
    sigma = np.ones(nearest.shape)
    for _ in range(_HALVINGS):
        total = np.exp(-beyond[:, 1:] / sigma).sum(axis=1, keepdims=True)
        off = np.abs(total - wanted) >= _CLOSE
        if not off.any():
            break
        above = total > wanted
        high = np.where(off & above, sigma, high)
        low = np.where(off & ~above, sigma, low)
        middle = np.where(np.isinf(high), 2 * sigma, (low + high) / 2)
        sigma = np.where(off, middle, sigma)
    mean = distances.mean(axis=1, keepdims=True)
    return np.maximum(sigma, _LEAST * np.where(nearest > 0, mean, distances.mean()))


def _matrix(indices: NDArray[np.int64], values: NDArray[np.floating]) -> csr_matrix:
    """Put each cell's values of its neighbours into a sparse matrix (N, N)."""
    count, each = indices.shape
    ends = np.arange(0, count * each + 1, each)
    return csr_matrix((values.ravel(), indices.ravel(), ends), shape=(count, count))


def leiden(cells: ad.AnnData, *, resolution: float = 1.0, seed: int = 0) -> NDArray[np.int64]:
    """Leiden clusters (N,) of a graph made by `add_graph`; cluster 0 is the largest."""
    sc.tl.leiden(
        cells,
        resolution=resolution,
        random_state=seed,
        flavor="igraph",
        n_iterations=2,
        directed=False,
    )
    return cells.obs["leiden"].astype(int).to_numpy()


def add_map(cells: ad.AnnData, *, seed: int = 0) -> None:
    """Add UMAP's layout of a graph made by `add_graph`, `obsm["X_umap"]` (N, 2), in place.

    Of more than 50,000 cells it starts from the first two principal components: the graph's own
    leading directions would take longer than the layout.
    """
    start: str | NDArray[np.float32] = "spectral"
    if cells.n_obs > EXACT_CELLS and cells.obsm["X_pca"].shape[1] > 1:
        leading = cells.obsm["X_pca"][:, :2]
        start = (10 * leading / np.abs(leading).max()).astype(np.float32)
    sc.tl.umap(cells, init_pos=start, random_state=seed)
