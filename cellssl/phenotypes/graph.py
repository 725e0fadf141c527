"""The graph of nearest neighbours, and what is read from it: Leiden's clusters, UMAP's map."""

import anndata as ad
import numpy as np
import scanpy as sc
from numpy.typing import NDArray

__all__ = ["add_graph", "add_map", "leiden"]

# Up to so many cells every two are compared: exact, and ten seconds for 20,000 cells on two cores;
# the approximate search first compiles itself for a minute and pays only beyond.
EXACT_CELLS = 50_000


def add_graph(cells: ad.AnnData, *, neighbours: int = 15, seed: int = 0) -> None:
    """Add Scanpy's graph of nearest neighbours in `obsm["X_pca"]`, in place."""
    count = min(neighbours, cells.n_obs - 1)
    sc.pp.neighbors(
        cells,
        n_neighbors=count,
        use_rep="X_pca",
        transformer="sklearn" if cells.n_obs <= EXACT_CELLS else None,
        random_state=seed,
    )


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
