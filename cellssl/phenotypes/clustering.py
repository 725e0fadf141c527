"""Clusters and a map of the cells of one embedding."""

from copy import deepcopy

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.errors import EmbeddingError
from cellssl.phenotypes.blocks import block_names
from cellssl.phenotypes.embeddings import check_features, features
from cellssl.phenotypes.graph import add_graph, add_map, leiden
from cellssl.phenotypes.normalisation import normalise_features
from cellssl.phenotypes.stability import scan_resolutions
from cellssl.scores import cluster_kmeans, principal_components, standardised_components

__all__ = ["cluster"]

# Fewer cells than this have no neighbourhoods worth a graph.
FEWEST = 10


def cluster(
    adata: ad.AnnData,
    *,
    n_clusters: int | None = None,
    seed: int = 0,
    resolution: float | None = 1.0,
    neighbours: int = 15,
    umap: bool = True,
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
    resolution : float, optional
        Of Leiden: larger gives more clusters. None: the finest of the most stable ones, see
        `scan_resolutions`.
    neighbours : int
        Neighbours of each cell in the graph.
    umap : bool
        Whether a map is laid out.

    Returns
    -------
    AnnData
        With the same X (not a copy of it), `obs["kmeans"]` and `obs["leiden"]` (categories "0",
        "1", … by falling size), `obsm["X_pca"]` (N, ≤ 50), `obsm["X_umap"]` (N, 2) and Scanpy's
        graph; `uns["stability"]` where resolutions were scanned.

    Raises
    ------
    EmbeddingError
        When there are no features, too few cells, or NaN among them.

    Notes
    -----
    Memory grows with the cells, not with their pairs. Random features, the worst case for the
    search of neighbours, on one thread: 100,000 cells (256 features, 0.1 GB) take 1.5 GB and some
    six minutes; of a million (128 features, 0.5 GB) the components take 3 s, the graph 10 minutes and
    4.3 GB, Leiden 4 minutes and 8.4 GB; its map was not waited for, `umap=False` leaves it out.
    """
    name = str(adata.uns.get("cellssl", {}).get("name", "the embedding"))
    check_features(adata, name)
    if adata.n_obs < FEWEST:
        raise EmbeddingError(f"{name} has {adata.n_obs} cells: clustering needs at least {FEWEST}.")
    result = _sharing_features(adata.to_memory() if adata.isbacked else adata)
    components = _components(result, seed=seed)
    result.obsm["X_pca"] = components
    if resolution is None:
        stability = scan_resolutions(components, neighbours=neighbours, seed=seed)
        resolution = float(stability.loc[stability["chosen"], "resolution"].iloc[0])
        result.uns["stability"] = stability
    add_graph(result, neighbours=neighbours, seed=seed)
    found = leiden(result, resolution=resolution, seed=seed)
    count = int(found.max()) + 1 if n_clusters is None else n_clusters
    result.obs["leiden"] = _categories(found)
    result.obs["kmeans"] = _categories(cluster_kmeans(components, count, seed=seed))
    if umap:
        add_map(result, seed=seed)
    return result


def _sharing_features(adata: ad.AnnData) -> ad.AnnData:
    """Copy all but X: a million cells' features are gigabytes, and nothing here changes them."""
    return ad.AnnData(
        adata.X,
        obs=adata.obs.copy(),
        var=adata.var.copy(),
        uns=deepcopy(dict(adata.uns)),
        obsm={name: values.copy() for name, values in adata.obsm.items()},
    )


def _categories(clusters: NDArray[np.int64]) -> pd.Categorical:
    names = [str(number) for number in range(int(clusters.max()) + 1)]
    return pd.Categorical(clusters.astype(str), categories=names)


def _components(adata: ad.AnnData, *, seed: int) -> NDArray[np.float32]:
    """Give the principal components (N, ≤ 50) of standardised features; blocks weigh alike."""
    blocks = block_names(adata)
    if blocks is None:
        return standardised_components(features(adata), seed=seed)
    known = normalise_features(features(adata), np.arange(adata.n_obs), blocks=blocks)
    return principal_components(known, seed=seed)
