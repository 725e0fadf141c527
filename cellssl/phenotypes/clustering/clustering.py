"""Clusters and a map of the cells of one embedding."""

import logging
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.arguments import whole_numbers
from cellssl.errors import EmbeddingError
from cellssl.phenotypes.clustering.graph import add_graph, add_map, leiden
from cellssl.phenotypes.clustering.landmarks import join_clusters, join_map, nearest_landmarks
from cellssl.phenotypes.clustering.stability import scan_resolutions
from cellssl.phenotypes.embeddings.blocks import block_names
from cellssl.phenotypes.embeddings.matching import check_features, embedding_name, features
from cellssl.phenotypes.embeddings.reading import read_embedding
from cellssl.phenotypes.normalisation.normalisation import normalise_features
from cellssl.sampling import sample_wells
from cellssl.scores import (
    cluster_kmeans,
    number_by_size,
    principal_components,
    standardised_components,
)

_LOG = logging.getLogger(__name__)

# Fewer cells than this have no neighbourhoods worth a graph.
FEWEST = 10

# Of more cells than this a sample is clustered and laid out: of a million the graph alone takes ten
# minutes, and Leiden 8 GB.
MOST_CELLS = 50_000


@whole_numbers(error=EmbeddingError, n_clusters=1, seed=0, neighbours=1, sample=1)
def cluster(
    adata: ad.AnnData | str | Path,
    *,
    n_clusters: int | None = None,
    seed: int = 0,
    resolution: float | None = None,
    neighbours: int = 15,
    umap: bool = True,
    sample: int | None = MOST_CELLS,
    progress: bool = True,
) -> ad.AnnData:
    """Cluster the cells of an embedding and lay them out on a map.

    Features are standardised, of a combined embedding so that its blocks weigh alike, and reduced to 50
    principal components; k-means runs on these, Leiden and UMAP on the graph of nearest neighbours
    among them.

    Parameters
    ----------
    adata : AnnData or path
        As `read_embedding` reads it: X (N, D), ten cells at least. It is not changed.
    n_clusters : int, optional
        Clusters of k-means; as many as Leiden finds when not given.
    seed : int
        Of k-means, Leiden, the map and the sample.
    resolution : float, optional
        Of Leiden: larger gives more clusters. When left out: the finest of the most stable ones, see
        `scan_resolutions`, which takes up to 20 s of a core.
    neighbours : int
        Neighbours of each cell in the graph.
    umap : bool
        Whether a map is laid out.
    sample : int, optional
        Of more cells than this a seeded sample, evenly over the wells, makes the graph, Leiden's
        clusters and the map, which is said. Every other cell joins the cluster of most of its
        nearest cells in the sample and lies amid those of that cluster. None: the graph of all cells,
        approximate beyond 50,000.
    progress : bool
        Show a bar while other cells join a sample's clusters.

    Returns
    -------
    AnnData
        With the same X, layers and raw (not copies of them), `obs["kmeans"]` and `obs["leiden"]` (categories "0",
        "1", … by falling size), `obsm["X_pca"]` (N, ≤ 50), `obsm["X_umap"]` (N, 2) and Scanpy's
        graph; `uns["stability"]` where resolutions were scanned. Where a sample was drawn
        `obs["clustered"]` tells its cells, and there is no graph.

    Raises
    ------
    EmbeddingError
        When there are no features, too few cells, or NaN among them.

    Notes
    -----
    Memory grows with the cells, not with their pairs. Random features are the worst case. 100,000
    cells (64 features) with a sample of 20,000: 62 s of one core and 0.7 GB. Placing a cell among
    50,000 takes 0.23 ms. The graph of all of a million cells (`sample=None`, 128 features) took 10 minutes
    and 4.3 GB, Leiden 4 minutes and 8.4 GB; its map was not waited for.
    """
    adata = read_embedding(adata)
    check_features(adata)
    if adata.n_obs < FEWEST:
        name = embedding_name(adata)
        raise EmbeddingError(f"{name} has {adata.n_obs} cells: clustering needs at least {FEWEST}.")
    if resolution is not None and resolution <= 0:
        raise EmbeddingError(f"resolutions are numbers above 0, got {resolution}.")
    result = _sharing_features(adata.to_memory() if adata.isbacked else adata)
    components = _components(result, seed=seed)
    result.obsm["X_pca"] = components
    if resolution is None:
        stability = scan_resolutions(components, neighbours=neighbours, seed=seed)
        resolution = float(stability.loc[stability["chosen"], "resolution"].iloc[0])
        result.uns["stability"] = stability
    rows = None if sample is None or result.n_obs <= sample else _draw(result, sample, seed=seed)
    graph = result
    if rows is not None:
        graph = ad.AnnData(obsm={"X_pca": components[rows]}, shape=(len(rows), 0))
    add_graph(graph, neighbours=neighbours, seed=seed)
    found = leiden(graph, resolution=resolution, seed=seed)
    if umap:
        add_map(graph, seed=seed)
    if rows is not None:
        near = nearest_landmarks(components, rows, neighbours=neighbours, progress=progress)
        found = _join_sample(result, rows, found, graph.obsm.get("X_umap"), near)
    count = int(found.max()) + 1 if n_clusters is None else n_clusters
    result.obs["leiden"] = _categories(found)
    result.obs["kmeans"] = _categories(cluster_kmeans(components, count, seed=seed))
    return result


def _draw(cells: ad.AnnData, sample: int, *, seed: int) -> NDArray[np.int64]:
    """Draw the cells that are clustered for all, and say so."""
    if sample < FEWEST:
        raise EmbeddingError(f"a sample of {sample} cells was asked for, wanted {FEWEST} at least.")
    _LOG.warning(
        "Leiden and the map are made of %d of %d cells, evenly over the wells; every other cell "
        "joins those that it is nearest to.",
        sample,
        cells.n_obs,
    )
    return sample_wells(cells.obs, sample, seed=seed)


def _join_sample(
    cells: ad.AnnData,
    rows: NDArray[np.int64],
    clusters: NDArray[np.int64],
    places: NDArray[np.float32] | None,
    near: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> NDArray[np.int64]:
    """Let all other cells join the sample's clusters and map, in place; gives clusters (N,)."""
    found = np.empty(cells.n_obs, dtype=np.int64)
    found[rows] = clusters
    if places is not None:
        cells.obsm["X_umap"] = np.empty((cells.n_obs, 2), dtype=np.float32)
        cells.obsm["X_umap"][rows] = places
    for others, nearest in near:
        found[others] = join_clusters(nearest, clusters)
        if places is not None:
            cells.obsm["X_umap"][others] = join_map(nearest, found[others], clusters, places)
    cells.obs["clustered"] = np.isin(np.arange(cells.n_obs), rows)
    return number_by_size(found)


def _sharing_features(adata: ad.AnnData) -> ad.AnnData:
    """Copy all but X: a million cells' features are gigabytes, and nothing here changes them.

    What an earlier clustering says of its sample, graph and resolutions is left out.
    """
    return ad.AnnData(
        adata.X,
        obs=adata.obs.drop(columns="clustered", errors="ignore").copy(),
        var=adata.var.copy(),
        uns=deepcopy({k: v for k, v in adata.uns.items() if k not in ("neighbors", "stability")}),
        obsm={name: values.copy() for name, values in adata.obsm.items()},
        varm=dict(adata.varm),
        layers=dict(adata.layers),
        raw=adata.raw,
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
