"""Clusters and a map of the cells of one embedding."""

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc
from numpy.typing import NDArray

from cellssl.errors import EmbeddingError
from cellssl.phenotypes.blocks import block_names
from cellssl.phenotypes.embeddings import check_features, features
from cellssl.phenotypes.normalisation import normalise_features
from cellssl.scores import cluster_kmeans, principal_components

__all__ = ["cluster"]

# Up to so many cells every two are compared: exact, and ten seconds for 20,000 cells on two cores;
# the approximate search first compiles itself for a minute and pays only beyond.
EXACT_CELLS = 50_000

# Fewer cells than this have no neighbourhoods worth a graph.
FEWEST = 10


def cluster(
    adata: ad.AnnData,
    *,
    n_clusters: int | None = None,
    seed: int = 0,
    resolution: float = 1.0,
    neighbours: int = 15,
) -> ad.AnnData:
    """Cluster the cells of an embedding and lay them out on a map.

    Features are standardised, of a combined embedding so that its blocks weigh alike, and reduced to 50
    principal components; k-means runs on these, Leiden and UMAP on the graph of nearest neighbours
    among them.

    Parameters
    ----------
    adata : AnnData
        X (N, D), ten cells at least. It is not changed.
    n_clusters : int, optional
        Clusters of k-means; as many as Leiden finds when not given.
    resolution : float
        Of Leiden: larger gives more clusters.
    neighbours : int
        Neighbours of each cell in the graph.

    Returns
    -------
    AnnData
        A copy with `obs["kmeans"]` and `obs["leiden"]` (categories "0", "1", … by falling size),
        `obsm["X_pca"]` (N, ≤ 50), `obsm["X_umap"]` (N, 2) and Scanpy's graph.

    Raises
    ------
    EmbeddingError
        When there are no features, too few cells, or NaN among them.
    """
    name = str(adata.uns.get("cellssl", {}).get("name", "the embedding"))
    check_features(adata, name)
    if adata.n_obs < FEWEST:
        raise EmbeddingError(f"{name} has {adata.n_obs} cells: clustering needs at least {FEWEST}.")
    result = adata.to_memory() if adata.isbacked else adata.copy()
    known = normalise_features(features(adata), np.arange(adata.n_obs), blocks=block_names(adata))
    components = principal_components(known, seed=seed)
    result.obsm["X_pca"] = components
    add_graph(result, neighbours=neighbours, seed=seed)
    found = leiden(result, resolution=resolution, seed=seed)
    count = int(found.max()) + 1 if n_clusters is None else n_clusters
    result.obs["leiden"] = _categories(found)
    result.obs["kmeans"] = _categories(cluster_kmeans(components, count, seed=seed))
    sc.tl.umap(result, random_state=seed)
    return result


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


def _categories(clusters: NDArray[np.int64]) -> pd.Categorical:
    names = [str(number) for number in range(int(clusters.max()) + 1)]
    return pd.Categorical(clusters.astype(str), categories=names)
